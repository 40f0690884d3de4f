"""The trial by spoilt files: short here, long by hand; and what it found stays here as tests."""

from __future__ import annotations

import json
import random

import pytest

from toolkit import media
from toolkit.errors import ToolkitError, UsageError
from toolkit.hardening import fuzz, sources
from toolkit.hardening.decoders import quick_decoders


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return {c.name: c for c in sources.clips(tmp_path_factory.mktemp("sources"))}


def test_the_same_numbers_make_the_same_files(tmp_path, clips):
    """Else what was found could not be had again."""
    again = {c.name: c.data for c in sources.clips(tmp_path)}
    assert {name: clip.data for name, clip in clips.items()} == again


def test_a_few_spoilt_files_do_no_harm(tmp_path, capsys):
    log = tmp_path / "log.jsonl"
    tally = fuzz.run(seed=5, files=50, log=log, judge_every=0)
    assert tally.findings == []
    assert sum(tally.outcomes.values()) == 50
    assert {"clip: refused", "own: read"} <= set(tally.outcomes)
    end, before = fuzz.read_log(log, 5)
    assert (end, before.outcomes) == (50, tally.outcomes)
    assert fuzz.read_log(log, 6)[0] == 0


def test_a_decoder_as_a_copy_gives_the_same_as_one_of_its_own(tmp_path, clips):
    path = tmp_path / "clip.mp4"
    path.write_bytes(clips["mp4"].data)
    own = media.probe(path)
    start = media.video.start_decoder
    with quick_decoders():
        copy = media.probe(path)
        path.write_bytes(clips["mp4"].data[:300])
        with pytest.raises(ToolkitError):
            media.probe(path)
    assert media.video.start_decoder is start
    assert copy.notices == own.notices
    assert (copy.pts == own.pts).all()


def test_frames_that_go_missing_without_a_word_are_found(tmp_path, clips, monkeypatch):
    monkeypatch.setattr(media, "read", lambda *_, **__: iter(()))
    monkeypatch.setattr(fuzz, "STORE_PART", 0)
    log = tmp_path / "log.jsonl"
    tally = fuzz.run(seed=0, files=8, log=log, judge_every=0)
    assert tally.findings
    assert {f["finding"] for f in tally.findings} == {"silent"}
    kept = log.with_suffix("") / tally.findings[0]["file"]
    assert kept.stat().st_size >= 0
    assert "findings" in fuzz.summary(tally)


def test_an_error_that_is_not_ours_is_found(monkeypatch):
    def fail(_path):
        raise IndexError("list index out of range")

    monkeypatch.setattr(media, "probe", fail)
    monkeypatch.setattr(fuzz, "STORE_PART", 0)
    tally = fuzz.run(seed=0, files=2, judge_every=0)
    assert [f["finding"] for f in tally.findings] == ["crash", "crash"]
    assert "IndexError" in tally.findings[0]["what"]


def test_when_to_stop_must_be_said():
    with pytest.raises(UsageError, match="--files or --hours"):
        fuzz.main([])


def test_a_torn_line_of_the_log_is_left_out(tmp_path):
    log = tmp_path / "log.jsonl"
    line = {"seed": 1, "from": 0, "to": 9, "outcomes": {"a": 9}, "slowest_s": 1}
    whole = json.dumps(line | {"memory_mb": 1.5, "descriptors": 0})
    log.write_text(f'{whole}\n{{"seed": 1, "fro', encoding="utf-8")
    assert fuzz.read_log(log, 1)[0] == 9


# --- what was found -----------------------------------------------------------------------------


def codes(path, data):
    path.write_bytes(data)
    return {notice.code for notice in media.probe(path).notices}


def test_fragments_behind_a_broken_one_are_missed(tmp_path, clips):
    data = clips["mp4-fragments"].data
    second = data.index(b"moof", data.index(b"moof") + 4)
    path = tmp_path / "clip.mp4"
    assert not codes(path, data) & {"damaged", "trailing_bytes"}
    assert "damaged" in codes(path, data[:second] + b"mooX" + data[second + 4 :])


@pytest.mark.parametrize("part", [0, 1])
def test_a_fragment_without_pictures_is_missed_at_either_end(tmp_path, clips, part):
    data = clips["mp4-fragments"].data
    tables = [n for n in range(len(data)) if data[n : n + 4] == b"trun"]
    at = tables[0] if part else tables[-1]
    spoilt = data[:at] + b"free" + data[at + 4 :]
    assert codes(tmp_path / "clip.mp4", spoilt) & {"truncated", "late_start", "damaged"}


def test_a_transport_stream_that_ends_within_a_packet_is_truncated(tmp_path, clips):
    for name in ("ts", "ts-mpeg2"):
        data = clips[name].data
        assert "truncated" not in codes(tmp_path / "clip.ts", data)
        assert "truncated" in codes(tmp_path / "clip.ts", data[: len(data) // 376 * 188 + 71])


def test_a_matroska_file_whose_beginning_is_lost_says_so(tmp_path, clips):
    data = clips["mkv-ffv1"].data
    cluster = data.index(b"\x1f\x43\xb6\x75")
    assert "late_start" not in codes(tmp_path / "clip.mkv", data)
    spoilt = data[:cluster] + b"\x1f\x43\xb6\x76" + data[cluster + 4 :]
    assert "late_start" in codes(tmp_path / "clip.mkv", spoilt)


def test_a_matroska_file_that_is_shorter_than_it_says_is_truncated(tmp_path, clips):
    data = clips["mkv"].data
    spoilt = data[: len(data) * 2 // 3].replace(b"DURATION", b"DURATIOM")  # its tag is lost too
    assert "truncated" in codes(tmp_path / "clip.mkv", spoilt)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": ' * 50_000, "1" * 5000, "[NaN]", "\udc80"])
def test_json_that_no_reader_survives_is_refused(tmp_path, text):
    stores = [s for s in sources.stores(tmp_path, analysed=False) if s.kind == "json"]
    assert len(stores) > 3
    for store in stores:
        store.path.write_bytes(text.encode("utf-8", "surrogateescape"))
        try:
            store.open()
        except ToolkitError:
            continue


def test_an_archive_with_damaged_data_is_no_examination():
    from toolkit.casework import archive
    from toolkit.errors import ShapeError

    rng = random.Random(3)
    for _ in range(20):
        with pytest.raises(ShapeError):
            archive.read(b"PK\x03\x04" + rng.randbytes(200))
