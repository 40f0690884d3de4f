"""Known clips give known facts, hostile ones nothing worse than a refusal."""

from __future__ import annotations

import ast
import json
import random
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import PictureType

from toolkit import _i18n, media
from toolkit.errors import Cancelled, VideoError
from toolkit.media import provenance
from toolkit.media.provenance import MetadataEntry, inspect, printable

from .conftest import HEIGHT, WIDTH, draw, write_bars

PACKAGE = Path(provenance.__file__).parents[1]


def codes(facts):
    return {sign.code for sign in facts.signs}


def write_clip(
    path: Path,
    *,
    count: int = 40,
    keys: tuple[int, ...] = (),
    metadata: dict[str, str] | None = None,
    aspect: Fraction | None = None,
    audio: bool = False,
    start: int = 0,
    border: tuple[int, int, int, int] = (0, 0, 0, 0),
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> Path:
    """Write an MP4 of 25 frames a second with exactly what was asked for."""
    left, top, right, bottom = border
    with av.open(str(path), "w", format="mp4") as box:
        box.metadata.update(metadata or {})
        stream = box.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.options = {"g": "1000", "bf": "0", "crf": "10", "sc_threshold": "0"}
        stream.time_base = stream.codec_context.time_base = Fraction(1, 25)
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if audio:
            sound = box.add_stream("aac", rate=44100)
            sound.layout = "mono"
        for number in range(count):
            picture = np.resize(draw(number), (size[1], size[0], 3)) // 2 + 100
            picture[:top], picture[:, :left] = 0, 0
            picture[size[1] - bottom :], picture[:, size[0] - right :] = 0, 0
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number + start, Fraction(1, 25)
            if number in keys:
                frame.pict_type = PictureType.I
            box.mux(stream.encode(frame))
        box.mux(stream.encode())
        if audio:
            silence = av.AudioFrame.from_ndarray(
                np.zeros((1, 44100), np.float32), format="fltp", layout="mono"
            )
            silence.rate, silence.pts = 44100, 0
            box.mux(sound.encode(silence))
            box.mux(sound.encode())
    return path


# --- key frames and rate ------------------------------------------------------------------


def test_a_constant_clip(tmp_path):
    options = {"g": "24", "bf": "2", "sc_threshold": "0", "crf": "20"}
    facts = inspect(write_bars(tmp_path / "a.mp4", options=options))
    assert (facts.rate, facts.frames_per_second) == ("constant", pytest.approx(25))
    assert facts.gop.distances == (24,) * 4
    assert (facts.gop.is_constant, facts.gop.shortest, facts.gop.longest) == (True, 24, 24)
    assert facts.gop.has_b_frames
    assert (facts.frames, facts.stored_size, facts.codec) == (120, (WIDTH, HEIGHT), "h264")
    assert facts.pixel_format == "yuv420p"
    assert facts.audio == ()
    assert "gop_varies" not in codes(facts)
    assert "no_audio" in codes(facts)
    assert facts.tools["PyAV"] == av.__version__


def test_key_frames_at_odd_places_and_no_b_frames(tmp_path):
    facts = inspect(write_clip(tmp_path / "a.mp4", keys=(7, 20, 33)))
    assert facts.gop.distances == (7, 13, 13)
    assert (facts.gop.is_constant, facts.gop.shortest, facts.gop.longest) == (False, 7, 13)
    assert facts.gop.has_b_frames is False
    assert "gop_varies" in codes(facts)


def test_a_variable_rate(vfr):
    facts = inspect(vfr)
    assert facts.rate == "variable"
    assert "variable_rate" in codes(facts)
    assert any("33-240" in sign.line() for sign in facts.signs)


def test_without_times_nothing_is_made_up(tmp_path):
    path = write_bars(tmp_path / "a.h264", container="h264")
    facts = inspect(path)
    assert (facts.rate, facts.frames_per_second) == ("unknown", None)
    assert facts.gop == provenance.Gop((), None, None, None, None)


# --- encoder, times, tags -----------------------------------------------------------------


def test_encoders_and_their_settings(cfr):
    facts = inspect(cfr)
    named = " ".join(entry.value for entry in facts.encoders)
    assert "Lavf" in named
    assert "x264" in named
    assert "crf=18" in facts.encoder_settings
    assert "several_encoders" not in codes(facts)  # Lavf and x264 come together


def test_two_makers_are_listed(cfr, tmp_path):
    data = cfr.read_bytes()
    at = data.index(b"Lavf")
    end = at + len(data[at:].split(b"\0")[0].split(b"\x00")[0][:13])
    path = tmp_path / "a.mp4"
    path.write_bytes(data[:at] + b"ClipEditor 7".ljust(end - at)[: end - at] + data[end:])
    facts = inspect(path)
    assert "several_encoders" in codes(facts)
    line = next(s.line() for s in facts.signs if s.code == "several_encoders")
    assert "ClipEditor" in line
    assert "x264" in line


def test_the_settings_are_found_without_mediainfo(cfr, monkeypatch):
    real = provenance.ask

    def without(command, path, **more):
        return {"missing": True} if command == "mediainfo" else real(command, path, **more)

    monkeypatch.setattr(provenance, "ask", without)
    facts = inspect(cfr)
    assert "mediainfo" in facts.not_examined
    assert "MediaInfo" not in facts.tools
    assert "crf=18" in facts.encoder_settings
    assert dict(facts.lines())["MediaInfo"] == "not examined"


def test_the_creation_time_is_quoted(tmp_path):
    tags = {"creation_time": "2024-05-06T07:08:09Z"}
    facts = inspect(write_clip(tmp_path / "a.mp4", metadata=tags))
    assert facts.creation_time.startswith("2024-05-06T07:08:09")
    assert "creation_time_epoch" not in codes(facts)
    unset = inspect(write_clip(tmp_path / "b.mp4"))
    assert unset.creation_time == "1904-01-01T00:00:00Z"
    assert "creation_time_epoch" in codes(unset)


def test_texts_are_printable_and_cut(tmp_path):
    tags = {"title": "<script>alert(1)</script>\x1b[31m\nnext\u202e", "comment": "x" * 5000}
    facts = inspect(write_clip(tmp_path / "a.mp4", metadata=tags))
    found = {entry.key: entry.value for entry in facts.metadata if entry.where == "file"}
    assert found["title"] == "<script>alert(1)</script>\\u001b[31m\\u000anext\\u202e"
    assert found["comment"] == "x" * 2000 + "…"
    everything = json.dumps(facts.to_dict())
    assert all(c.isprintable() for c in everything)


def test_what_is_private_can_be_left_out(tmp_path):
    tags = {"title": "CANARY-7f3a91", "creation_time": "2024-05-06T07:08:09Z"}
    facts = inspect(write_clip(tmp_path / "a.mp4", metadata=tags))
    assert "CANARY-7f3a91" in json.dumps(facts.to_dict())
    public = json.dumps(facts.to_dict(private=False)) + str(facts.lines(private=False))
    for secret in ("CANARY-7f3a91", "2024-05-06", "x264", "Lavf"):
        assert secret not in public
    assert facts.to_dict(private=False)["private_left_out"] is True
    assert facts.to_dict()["gop"] == facts.to_dict(private=False)["gop"]


# --- picture and container ----------------------------------------------------------------


def test_rotation_and_pixel_aspect(cfr, tmp_path):
    data = bytearray(cfr.read_bytes())
    at = data.index(b"tkhd") + 44
    quarter = (0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    data[at : at + 36] = b"".join(v.to_bytes(4, signed=True) for v in quarter)
    path = tmp_path / "turned.mp4"
    path.write_bytes(data)
    turned = inspect(path)
    assert turned.rotation == 90
    assert (turned.stored_size, turned.shown_size) == ((WIDTH, HEIGHT), (HEIGHT, WIDTH))
    wide = inspect(write_clip(tmp_path / "wide.mp4", aspect=Fraction(2, 1)))
    assert wide.pixel_aspect == (2, 1)
    assert wide.shown_size == (2 * WIDTH, HEIGHT)


def test_sound_start_and_bytes_behind_the_end(tmp_path):
    path = write_clip(tmp_path / "a.mp4", audio=True, start=25)
    facts = inspect(path)
    assert facts.audio == ("aac",)
    assert "no_audio" not in codes(facts)
    assert facts.trailing_bytes == 0
    with path.open("ab") as file:
        file.write(b"PK\x03\x04 and more")
    after = inspect(path)
    assert after.trailing_bytes == 13
    assert "trailing_bytes" in codes(after)


def test_an_edit_list_that_delays(tmp_path):
    facts = inspect(write_clip(tmp_path / "a.mp4", start=25))
    empty = [edit for edit in facts.edit_list if edit.start_s is None]
    assert [edit.duration_s for edit in empty] == [pytest.approx(1.0, abs=0.01)]
    assert "edit_list" in codes(facts)
    assert "edit_list" not in codes(inspect(write_clip(tmp_path / "b.mp4")))


@pytest.mark.parametrize("border", [(0, 0, 0, 0), (16, 0, 32, 0), (0, 24, 0, 8)])
def test_black_borders(tmp_path, border):
    facts = inspect(write_clip(tmp_path / "a.mp4", count=12, border=border))
    assert np.abs(np.subtract(facts.borders, border)).max() <= 1
    assert ("black_borders" in codes(facts)) == any(border)


def test_a_dark_room_is_no_border(tmp_path):
    y, x = np.mgrid[:HEIGHT, :WIDTH] / (HEIGHT, WIDTH)[0]
    glow = 200 * np.exp(-30 * ((y - 0.5) ** 2 + (x - 0.5 * WIDTH / HEIGHT) ** 2))
    pictures = [np.repeat(glow.astype(np.uint8)[..., None], 3, axis=2)] * 12
    media.write_h264(tmp_path / "a.mp4", pictures, np.arange(12) / 10)
    facts = inspect(tmp_path / "a.mp4")
    assert facts.borders == (0, 0, 0, 0)
    assert "black_borders" not in codes(facts)


def test_a_black_clip_has_no_borders(tmp_path):
    facts = inspect(write_clip(tmp_path / "a.mp4", count=12, border=(WIDTH, 0, 0, 0)))
    assert facts.borders is None
    assert "borders" in facts.not_examined


def test_odd_sizes_are_listed(tmp_path):
    facts = inspect(write_clip(tmp_path / "a.mp4", count=8, size=(154, 90)))
    assert facts.stored_size == (154, 90)
    assert "side_not_multiple" in codes(facts)


def test_matroska_has_no_edit_list_and_no_brand(tmp_path):
    path = write_bars(tmp_path / "a.mkv", count=30, container="matroska")
    facts = inspect(path)
    assert (facts.brand, facts.edit_list, facts.trailing_bytes) == (None, (), 0)
    assert facts.container.startswith("matroska")


# --- words and rules ----------------------------------------------------------------------


def test_every_fact_has_words_in_both_languages(vfr):
    facts = inspect(vfr)
    english = dict(facts.lines())
    assert english["Frame rate"].startswith("variable")
    assert all(value for value in english.values())
    _i18n.set_language("nl")
    dutch = facts.lines()
    assert len(dutch) == len(english)
    assert {label for label, _value in dutch} != set(english)
    assert [s.line() for s in facts.signs] != []


def test_the_same_file_gives_the_same_facts(cfr):
    one, other = (json.dumps(inspect(cfr).to_dict()) for _ in range(2))
    assert one == other


def test_none_of_it_feeds_a_score():
    """No module that judges imports provenance or credentials."""
    for room in ("detectors", "verdict", "faces", "explain", "analysis.py", "training"):
        where = PACKAGE / room
        for path in [where] if where.is_file() else where.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    names = [f"{node.module}.{alias.name}" for alias in node.names]
                for name in names:
                    assert "provenance" not in name, path
                    assert "credentials" not in name, path


def test_text_is_made_printable():
    assert printable("a" * 2001) == "a" * 2000 + "…"
    assert printable("\U000e0001") == "\\U000e0001"
    assert MetadataEntry("file", "k", "v").value == "v"


# --- what goes wrong ----------------------------------------------------------------------


def test_other_files_are_refused(tmp_path):
    (tmp_path / "a.mp4").write_text("<html>")
    for path in (tmp_path / "a.mp4", tmp_path / "missing.mp4", tmp_path):
        with pytest.raises(VideoError):
            inspect(path)


def test_it_can_be_cancelled(cfr):
    def tick(stage, _done, _total):
        if stage == "provenance":
            raise Cancelled

    with pytest.raises(Cancelled):
        inspect(cfr, tick=tick)


def test_mutants_are_read_or_refused(tmp_path):
    data = write_clip(tmp_path / "a.mp4", metadata={"title": "t"}, audio=True).read_bytes()
    moov = data.index(b"moov")
    for seed in range(8):
        rng = random.Random(seed)
        mutant = bytearray(data)
        for _ in range(12):
            mutant[rng.randrange(moov, len(data))] = rng.randrange(256)
        path = tmp_path / "mutant.mp4"
        path.write_bytes(mutant[: len(data) - 400 * (seed % 3)])
        try:
            facts = inspect(path)
        except VideoError:
            continue
        json.dumps(facts.to_dict())
        facts.lines()


@pytest.mark.parametrize("answer", [{}, {"format": 3}, {"error": "ended by signal 9"}])
def test_a_child_that_lies_is_not_believed(cfr, monkeypatch, answer):
    monkeypatch.setattr(provenance, "ask", lambda *_a, **_k: answer)
    with pytest.raises(VideoError, match="decoder stopped"):
        inspect(cfr)
