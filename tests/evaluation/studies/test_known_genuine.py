"""What a known recording adds, on made-up clips: who sets the limit, who is judged, who is not."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.verdict.test_comparison import judged
from toolkit.errors import UsageError, VideoError
from toolkit.evaluation.studies import known_genuine
from toolkit.evaluation.verdicts.benchmark import Clip

JUDGE = SimpleNamespace(card=SimpleNamespace(name="net", weights_sha256="ab" * 32, threshold=4.2))


def clip(name, label, dataset, *, scene="", method="", usable="yes"):
    row = {"path": f"{name}.mp4", "label": label, "dataset": dataset, "method": method}
    row |= {"scene": scene or name, "target_scene": scene or name, "usable": usable}
    return Clip(Path(row["path"]), row)


def reading(logits):
    """Return an `examine` that knows the first and second half of each clip by name."""

    def examine(path, **_options):
        halves_ = logits[path.stem]
        if halves_ is None:
            raise VideoError("the file is empty", path.name, "Choose another.")
        result, crops = judged(np.repeat(halves_, 16))
        report = SimpleNamespace(tracks=(result,), speaks="A", verdict=result.verdict)
        return SimpleNamespace(report=report, crops={"A": crops})

    return examine


def genuine(count):
    clips = [clip(f"g{i}", "real", f"source{i % 2}") for i in range(count)]
    return clips, {f"g{i}": (0.0, i / 10) for i in range(count)}


def test_the_limit_comes_from_genuine_sources_and_is_used_on_the_others():
    clips, logits = genuine(28)
    clips += [
        clip("o1", "real", "pairs", scene="s1"),
        clip("f1", "fake", "pairs", scene="s1", method="swap"),
        clip("o2", "real", "pairs", scene="s2"),
        clip("f2", "fake", "pairs", scene="s2", method="swap"),
        clip("lonely", "fake", "pairs", scene="s3", method="swap"),
        clip("seen", "real", "source0"),
        clip("poor", "real", "source0", usable="marginal"),
        clip("broken", "real", "source0"),
    ]
    # the second scene scores four higher, whoever is in it: only a comparison takes that off
    logits |= {"o1": (0, 0.2), "f1": (3, 3), "o2": (4, 4), "f2": (4.5, 9), "lonely": (9, 9)}
    logits |= {"seen": (0, 99), "poor": (0, 99), "broken": None}
    result, found = known_genuine.measure(
        clips, JUDGE, training_clips=["seen"], examine=reading(logits)
    )
    assert found.apart == pytest.approx([i / 10 for i in range(28)])
    assert "28 genuine recordings kept from training, of source0, source1" in found.population
    assert result["limit"] == found.limit == pytest.approx(2.6)  # 27 of 29 times 0.9, rounded up
    assert [r["path"] for r in result["left_out"]] == ["broken.mp4"]
    assert result["per_source"]["source0"] == {
        "recordings": 14,
        "others": 14,
        "limit": pytest.approx(2.7),
        "false_alarms": 0.0,
    }
    swap = result["per_method"]["pairs / swap"]
    assert (swap["forgeries"], swap["originals"], swap["fpr"]) == (2, 2, 0)
    # f1 is 2.8 and 3 above its original, f2 0.5 and 5: three of four exceed 2.6
    assert (swap["tpr"], swap["plain_tpr"]) == (0.75, 0.5)
    assert swap["auc"] == 1.0
    assert swap["plain_auc"] == pytest.approx(12 / 16)
    assert "pairs, mean over its methods" not in result["per_method"]  # it has but one
    text = known_genuine.table(result)
    assert "limit +2.60, from 28 genuine recordings" in text
    assert "1 clips could not" in text


def test_methods_of_one_source_are_averaged():
    clips, logits = genuine(20)
    clips += [
        clip("o", "real", "pairs", scene="s"),
        clip("a", "fake", "pairs", scene="s", method="one"),
        clip("b", "fake", "pairs", scene="s", method="two"),
    ]
    logits |= {"o": (0, 5), "a": (9, 9), "b": (0, 0)}
    result, _ = known_genuine.measure(clips, JUDGE, examine=reading(logits))
    each = result["per_method"]
    assert [each[f"pairs / {m}"]["tpr"] for m in ("one", "two")] == [1, 0]
    mean = each["pairs, mean over its methods"]
    assert (mean["tpr"], mean["forgeries"], mean["originals"], mean["fpr"]) == (0.5, 2, 1, 0.5)


def test_too_few_recordings_set_no_limit():
    clips, logits = genuine(8)
    with pytest.raises(UsageError, match="8, at least 9"):
        known_genuine.measure(clips, JUDGE, examine=reading(logits))


def test_a_list_that_is_not_there_is_told(tmp_path, capsys):
    where = [str(tmp_path / "no.csv"), "--out", str(tmp_path / "out.json")]
    assert known_genuine.main([*where, "--detector", "seamnet-small"]) == 1
    assert "no.csv" in capsys.readouterr().err
