"""A scene holds what the report says, frame by frame, and little more."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.player.made_up import SIDE, THRESHOLD, centre, is_away, made
from toolkit import _i18n, figures, player
from toolkit.errors import ShapeError, UsageError
from toolkit.explain import ledger
from toolkit.figures.pictures import LOUD, QUIET
from toolkit.media.display import DisplayCopy, display_copy
from toolkit.player import Scene
from toolkit.types import REGIONS, Verdict, Video


@pytest.fixture(scope="module")
def clip(face_models, tmp_path_factory):
    return made(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def scene(clip):
    return Scene.of(clip.report, clip.copy, crops=clip.crops)


def array(scene: Scene, name: str) -> np.ndarray:
    """Read an array as the browser does."""
    place = scene.facts["arrays"][name]
    assert place["at"] % 8 == 0
    count = int(np.prod(place["shape"]))
    kind = np.dtype("<" + place["type"])
    return np.frombuffer(scene.data, kind, count, place["at"]).reshape(place["shape"])


def test_facts_are_json_and_arrays_are_all_there(scene):
    facts = json.loads(json.dumps(scene.facts, allow_nan=False))
    assert facts["schema"] == "doorzicht.scene/1"
    assert facts["players"] == list(REGIONS)
    assert [p["person"] for p in facts["persons"]] == ["A", "B"]
    a, b = facts["persons"]
    assert (a["forged"], a["abstained"], b["forged"], b["abstained"]) == (True, False, False, True)
    assert a["threshold"] == THRESHOLD
    assert b["intervals"] == []
    assert len(facts["cuts"]) == 1
    assert "B.heat" not in facts["arrays"]  # no verdict: no map of where it came from
    assert repr(scene).startswith("Scene(DisplayCopy(copy.mp4, 640x360, 100 frames")


def test_arrays_say_what_the_report_says(scene, clip):
    result = clip.report.tracks[0]
    assert np.array_equal(array(scene, "pts"), clip.copy.pts)
    assert np.array_equal(array(scene, "A.times"), result.track.pts)
    assert np.array_equal(array(scene, "A.logits"), np.float32(result.evidence.logits))
    assert np.array_equal(array(scene, "A.frames"), result.track.indices)
    shares = array(scene, "A.shares")
    assert np.allclose(shares[:, :10], result.explanation.shares, atol=1e-6)
    assert np.allclose(shares[:, 10], result.explanation.unsplit, atol=1e-6)
    stretch = array(scene, "A.stretch")
    assert len(np.unique(stretch)) == 2  # the line breaks where A is away


def test_a_frame_belongs_to_the_moment_that_stands_for_it(scene, clip):
    rows, frames = array(scene, "A.rows"), array(scene, "A.frames")
    assert np.array_equal(rows[frames], np.arange(len(frames)))
    pts, times = array(scene, "pts"), array(scene, "A.times")
    for n, row in enumerate(rows):
        if row >= 0:
            assert row == np.abs(times - pts[n]).argmin() or np.isclose(
                np.abs(times - pts[n]).min(), abs(times[row] - pts[n])
            )
    away = [n for n in range(100) if is_away(n, 100)]
    assert (rows[away[2:-2]] == -1).all()
    assert scene.position_of("A", int(frames[7])) == 7
    assert scene.position_of("A", away[5]) == -1


def test_boxes_follow_the_face_and_vanish_with_it(scene):
    boxes, squares = array(scene, "A.boxes"), array(scene, "A.squares")
    for n in range(100):
        if is_away(n, 100):
            continue
        if np.isnan(boxes[n]).any():
            continue
        x, y = centre(n, 100)
        off = np.hypot(boxes[n, 0] + boxes[n, 2] / 2 - x, boxes[n, 1] + boxes[n, 3] / 2 - y)
        assert off < (1e-3 if n % 3 == 0 else 8)  # every third frame was judged
        assert squares[n, 0] < x < squares[n, 0] + squares[n, 2]
    away = [n for n in range(100) if is_away(n, 100)]
    assert np.isnan(boxes[away[3:-3]]).all()
    assert np.isfinite(boxes[:60]).all()


def test_heat_is_the_ledgers(scene, clip):
    heat = array(scene, "A.heat")
    evidence = clip.report.tracks[0].evidence
    assert heat.shape == (len(evidence.logits), 14, 14)
    row = int(evidence.logits.argmax())
    real = ledger.heat(evidence, row)
    assert heat[row].argmax() == real.argmax()
    assert heat[row].max() == 255
    assert abs(int(heat[row][0, 0]) - 128) < 12


def test_a_frames_own_division_adds_up_to_the_frame(scene, clip):
    result = clip.report.tracks[0]
    wanted = ledger.frame_logits(result.evidence) - result.explanation.reference_logit
    by_mesh = Scene.of(clip.report, clip.copy)
    for given in (scene, by_mesh):
        moments = array(given, "A.moments")
        assert np.allclose(moments.sum(axis=1), wanted, atol=1e-4)
        strongest = int(result.evidence.logits.argmax())
        assert REGIONS[int(moments[strongest, :10].argmax())] == "mouth"
    assert np.abs(array(scene, "A.moments")[:, 10]).max() < 1e-4  # nothing is left undivided
    assert not array(scene, "B.moments").any()  # no verdict: nothing says where it came from
    facts = scene.facts["persons"][0]
    total = facts["reference"] + array(scene, "A.shares").sum()
    assert total == pytest.approx(facts["logit"], abs=1e-4)


def test_one_scale_for_the_clip_is_quiet_where_the_detector_is_quiet(scene, clip):
    logits, strength = array(scene, "A.logits"), array(scene, "A.strength")
    above = logits >= THRESHOLD
    assert above.any()
    assert not above.all()
    assert strength[above].min() >= LOUD > 3 * QUIET >= 3 * strength[~above].max()
    assert (np.diff(strength[np.argsort(logits)]) >= 0).all()
    assert strength.argmax() == logits.argmax()
    low = replace(clip.report.tracks[0], verdict=Verdict(0.0, float(logits.max()) + 1))
    assert figures.strengths(low).max() <= QUIET


def test_map_has_the_mouth_where_the_mouth_is(scene, clip):
    for given in (scene, Scene.of(clip.report, clip.copy)):  # by the crops, and by the mesh
        maps, squares = array(given, "A.map"), array(given, "A.squares")
        n = int(array(given, "A.frames")[5])
        x, y = centre(n, 100)
        left, top, side = squares[n]
        cell = [int((v - o) / side * maps.shape[1]) for v, o in ((y + 40, top), (x, left))]
        assert REGIONS[maps[5][tuple(cell)]] == "mouth"
        assert REGIONS[maps[5][0, 0]] == "background"


def test_with_and_without_crops_agree(clip):
    with_crops = Scene.of(clip.report, clip.copy, crops=clip.crops)
    without = Scene.of(clip.report, clip.copy)
    assert np.allclose(
        array(with_crops, "A.squares"), array(without, "A.squares"), atol=0.01, equal_nan=True
    )
    same = (array(with_crops, "A.map") == array(without, "A.map")).mean()
    assert same > 0.97


def test_a_smaller_copy_has_smaller_boxes(clip, tmp_path):
    half = display_copy(clip.video, tmp_path / "half.mp4", lines=180)
    small = Scene.of(clip.report, half, crops=clip.crops)
    whole = Scene.of(clip.report, clip.copy, crops=clip.crops)
    for name in ("A.boxes", "A.squares"):
        assert np.allclose(array(small, name) * 2, array(whole, name), atol=0.01, equal_nan=True)
    assert "smaller than the original" in small.strings()["note"]


def test_a_stretch_keeps_times_and_leaves_out_frames(clip, tmp_path):
    part = display_copy(clip.video, tmp_path / "part.mp4", start_s=2.0, end_s=3.0)
    scene = Scene.of(clip.report, part, crops=clip.crops)
    frames, rows = array(scene, "A.frames"), array(scene, "A.rows")
    assert (frames == -1).any()
    assert (frames >= 0).sum() >= 4
    for row, n in enumerate(frames):
        if n >= 0:
            assert part.indices[n] == clip.report.tracks[0].track.indices[row]
            assert rows[n] == row
    assert scene.facts["start_s"] == part.start_s
    assert "holds 0:02.0 to 0:03.0" in scene.strings()["note"]
    assert scene.frame_at(-5) == 0
    assert scene.frame_at(99) == len(part.pts) - 1
    assert scene.frame_at(part.start_s + part.pts[3]) == 3


def test_one_person_only(clip):
    scene = Scene.of(clip.report, clip.copy, crops=clip.crops, only="B", label="right")
    assert scene.persons == ("B",)
    assert list(scene.strings()["verdicts"]) == ["B"]
    assert not [name for name in scene.facts["arrays"] if name.startswith("A.")]
    with pytest.raises(UsageError, match=r"no such person in the report: C\. Known: A, B\."):
        Scene.of(clip.report, clip.copy, only="C")


def test_a_redacted_person_is_placed_nowhere(clip):
    result = clip.report.tracks[0]
    track = replace(
        result.track,
        boxes=np.zeros_like(result.track.boxes),
        mesh=np.zeros_like(result.track.mesh),
    )
    report = replace(clip.report, tracks=(replace(result, track=track),))
    scene = Scene.of(report, clip.copy, crops=clip.crops)
    assert np.isnan(array(scene, "A.boxes")).all()
    assert np.isnan(array(scene, "A.squares")).all()
    assert "A.map" not in scene.facts["arrays"]
    assert "A.heat" not in scene.facts["arrays"]
    assert len(array(scene, "A.logits"))  # the numbers stay


def test_a_report_without_persons(clip):
    scene = Scene.of(replace(clip.report, tracks=(), decisive=None), clip.copy)
    assert scene.persons == ()
    assert scene.facts["persons"] == []
    assert scene.strings()["verdicts"] == {}


def test_crops_of_another_report_are_refused(clip):
    crops = {"A": clip.crops["B"]}
    with pytest.raises(ShapeError, match="crops do not belong"):
        Scene.of(clip.report, clip.copy, crops=crops)


def test_words_change_with_the_language(scene):
    english = scene.strings()
    _i18n.set_language("nl")
    dutch = scene.strings()
    assert english.keys() == dutch.keys()
    assert (english["decimal"], dutch["decimal"]) == (".", ",")
    assert dutch["regions"]["mouth"] == "mond"
    same = [k for k, v in english.items() if isinstance(v, str) and v and v == dutch[k]]
    assert set(same) <= {"times", "label", "note", "evidence"}


def test_nothing_is_said_in_percent_or_as_a_chance(scene):
    said = json.dumps(scene.strings(), ensure_ascii=False).lower()
    for word in ("%", "probab", "confiden", "tamper", "fake"):
        assert word not in said


def test_nine_hundred_judged_frames_stay_under_ten_megabytes(clip):
    """Three persons on all of 36 s, the video at the rate of a 720p copy."""
    rng = np.random.default_rng(0)
    pts = np.arange(900) / 25
    video = Video(Path("a.mp4"), "0" * 64, 1, 1280, 720, "h264", 36.0, 900, pts, np.zeros(1, int))
    results = []
    for person in "ABC":
        track = clip.report.tracks[0].track
        pick = rng.integers(0, len(track.pts), 900)
        many = {name: getattr(track, name)[pick] for name in ("boxes", "mesh", "presence", "pose")}
        track = replace(
            track,
            person=person,
            indices=np.arange(900),
            pts=pts,
            shots=np.zeros(900, np.int64),
            seen=np.array([[0.0, 36.0]]),
            **many,
        )
        evidence = clip.report.tracks[0].evidence
        evidence = replace(
            evidence,
            network_logits=evidence.network_logits[pick],
            patches=evidence.patches[pick],
            spans=np.stack([np.arange(900)] * 2, axis=1),
        )
        result = replace(clip.report.tracks[0], track=track, evidence=evidence, explanation=None)
        results.append(replace(result, key_frames=()))
    report = replace(clip.report, video=video, tracks=tuple(results))
    crops = {
        p: replace(
            clip.crops["A"],
            **{
                f: np.repeat(getattr(clip.crops["A"], f)[:1], 900, axis=0)
                for f in (
                    "rgb",
                    "crop_to_frame",
                    "mesh",
                    "region_map",
                    "face_width",
                    "sharpness",
                    "padding",
                )
            },
        )
        for p in "ABC"
    }
    copy = DisplayCopy(
        clip.copy.path, clip.copy.size, 1280, 720, pts, np.arange(900, dtype=np.int64), 0.0
    )
    scene = Scene.of(report, copy, crops=crops)
    assert crops["A"].rgb.shape == (900, SIDE, SIDE, 3)
    assert len(scene.data) < 8e6  # 2.4 MB a person, which leaves room for the video


def test_every_word_is_used_and_every_word_used_is_there(scene):
    source, words = player.source(), scene.strings()
    made_up = {f"{kind}_" for kind in ("map", "sign", "total") if f"{kind}_${{" in source}
    for key in words:
        asked = re.search(rf"(text|words|w|\])\.{key}\b|'{key}'", source)
        assert asked or any(key.startswith(part) for part in made_up), key
    for key in re.findall(
        r"(?:this|player)\.text\.(\w+)|\bwords\.(?!(?:py|js|length|slice)\b)(\w+)", source
    ):
        assert (key[0] or key[1]) in words, key


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node to read JavaScript with")
def test_the_parts_link_as_modules(tmp_path):
    """What a part imports another part exports."""
    for part in player.PARTS:
        shutil.copy(Path(player.__file__).with_name(f"{part}.js"), tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "all.mjs").write_text("await import('./player.js');")
    node = subprocess.run(
        ["node", "all.mjs"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert node.returncode == 0, node.stderr


def test_a_part_imports_what_it_uses_and_nothing_else():
    parts = {
        name: (Path(player.__file__).parent / f"{name}.js").read_text() for name in player.PARTS
    }
    exports = {
        found: name
        for name, text in parts.items()
        for found in re.findall(
            r"^export (?:async )?(?:const|let|function|class) (\w+)", text, re.MULTILINE
        )
    }
    imported: set[str] = set()
    for name, text in parts.items():
        for names, source in re.findall(
            r"^import \{ ([^}]*) \} from '\./(\w+)\.js';$", text, re.MULTILINE
        ):
            for found in names.split(", "):
                assert exports[found] == source
                assert len(re.findall(rf"\b{found}\b", text)) > 1, (name, found)
                imported.add(found)
    assert imported == set(exports)


def test_the_module_stands_alone():
    """No build, no imports, no addresses; nothing that would end the script it is embedded in."""
    source = player.source()
    assert source.count("export default") == 1
    assert "import " not in source.replace("// ", "")
    assert "http" not in source.replace("http://www.w3.org/2000/svg", "")
    assert "http" not in player.style()
    assert "</script" not in source.lower()
    assert "<!--" not in source
    assert "</style" not in player.style().lower()
    folder = Path(player.__file__).parent
    assert {p.stem for p in folder.glob("*.js")} == set(player.PARTS)
    wild = [
        line
        for line in player.style().splitlines()
        if line.endswith("}") and line.startswith(".") and not line.startswith(".dz-player")
    ]
    assert wild == []
