"""Files as people have them: each made on the spot, with what is right for it and what comes out.

A row is an example of a kind that once went wrong. What is right is said against the same footage
without the fault (upright, after a hard cut, progressive), so that it holds for any weights.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolkit import media, samples
from toolkit.analysis.pipeline import analyse
from toolkit.detectors import registry
from toolkit.detectors.base import Detector
from toolkit.errors import ToolkitError, UsageError
from toolkit.evaluation.lists import read_table
from toolkit.messages import phrase
from toolkit.types import Report, Sampling

NEAR = 0.5  # logits between what is right and what came out
CLIPS = Path("../shared/data/clips/real")
CODE = "-an -c:v libx264 -crf 8 -preset veryfast -pix_fmt yuv420p"
FIT = (
    "fps=25,scale=400:300:force_original_aspect_ratio=decrease,"
    "pad=400:300:(ow-iw)/2:(oh-ih)/2,setsar=1,format=yuv420p"
)
PQ = (
    "zscale=tin=bt709:min=470bg:pin=bt709:rin=tv:t=smpte2084:m=2020_ncl:p=bt2020:npl=100,"
    "format=yuv420p10le"
)


class _Missing(Exception):  # noqa: N818 - the row is left out
    pass


@dataclass(frozen=True)
class RowOutcome:
    """What is right, what came out, and whether they agree."""

    right: str
    got: str
    ok: bool


class Workshop:
    """Makes the files of a row and analyses them.

    Parameters
    ----------
    folder
        Where files are made.
    clips
        Genuine clips by the names that the rows use.
    detector
        Who judges.
    """

    def __init__(self, folder: Path, clips: Path, detector: Detector) -> None:
        self.folder, self._clips, self._detector = folder, clips, detector

    def clip(self, name: str) -> Path:
        """Return a genuine clip; the row is left out where it is not here."""
        path = self._clips / name
        if not path.is_file():
            raise _Missing(f"needs {name} (--clips)")
        return path

    @property
    def planted(self) -> Path:
        """The sample whose mouth is forged for three seconds."""
        return samples.path(samples.planted().id)

    def make(self, name: str, command: str, **paths: Path) -> Path:
        """Run ffmpeg: a command of words, with `{name}` for paths."""
        program = shutil.which("ffmpeg")
        if program is None:
            raise _Missing("needs ffmpeg")
        out = self.folder / name
        words = [word.format(**paths) for word in command.split()]
        done = subprocess.run(
            [program, "-v", "error", "-nostdin", "-y", *words, str(out)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise _Missing(f"ffmpeg cannot make it: {last[:80]}")
        return out

    def judge(self, path: Path) -> Report:
        """Analyse a file."""
        return analyse(path, detector=self._detector, sampling=Sampling(), explain=False)


def run(
    wanted: Sequence[str] = (), *, clips: Path | None = None, device: str = "auto"
) -> Iterator[dict[str, Any]]:
    """Yield the rows of the table, each when it is done.

    Parameters
    ----------
    wanted
        Names out of `ROWS`; none = all.
    clips
        Folder of the genuine clips; rows that need one are left out where it is not there.
    device
        Where the detector runs.

    Yields
    ------
    dict
        `row`, `kind`, `right`, `got`, and `ok`: None where the row was left out.

    Raises
    ------
    UsageError
        If there is no row of a name.
    """
    if unknown := [name for name in wanted if name not in ROWS]:
        rows = ", ".join(ROWS)
        raise UsageError("there is no such row", ", ".join(unknown), "Rows: {rows}.", rows=rows)
    detector = registry.load("seamnet", device=device)
    for name in wanted or ROWS:
        kind, work = ROWS[name]
        with tempfile.TemporaryDirectory() as folder:
            try:
                outcome = work(Workshop(Path(folder), clips or CLIPS, detector))
            except _Missing as why:
                yield {"row": name, "kind": kind, "right": "", "got": str(why), "ok": None}
                continue
            except ToolkitError as error:
                outcome = RowOutcome("a result", f"refused: {error}", False)
        yield {
            "row": name,
            "kind": kind,
            "right": outcome.right,
            "got": outcome.got,
            "ok": outcome.ok,
        }


def line(row: dict[str, Any]) -> str:
    """Return a row of the table as text."""
    mark = {True: "right", False: "WRONG", None: "left out"}[row["ok"]]
    right = f" | right: {row['right']}" if row["right"] else ""
    return f"{row['row']:5} {mark:8} | {row['kind']}{right} | got: {row['got']}"


def summary(rows: Sequence[dict[str, Any]]) -> str:
    """Return how many rows are right."""
    done = [row for row in rows if row["ok"] is not None]
    left = f", {len(rows) - len(done)} left out" if len(done) < len(rows) else ""
    return f"{sum(row['ok'] for row in done)} of {len(done)} rows are right{left}"


# --- rows ---------------------------------------------------------------------------------------


def _said(report: Report) -> str:
    verdict = report.verdict
    if verdict.abstained or verdict.logit is None:
        words = f"abstained ({verdict.reason_code})"
    else:
        words = f"{verdict.logit:.2f} {'forged' if verdict.is_fake else 'not forged'}"
    codes = sorted({n.code for n in report.notices} - {"cut"})
    return f"{words}, {len(report.tracks)} persons" + (f", {', '.join(codes)}" if codes else "")


def _near(a: Report, b: Report) -> bool:
    return (
        a.verdict.logit is not None
        and b.verdict.logit is not None
        and abs(a.verdict.logit - b.verdict.logit) <= NEAR
    )


def _as_like(shop: Workshop, odd: Path, plain: Path, *codes: str) -> RowOutcome:
    """Hold an odd file against the same footage without its fault."""
    odd_report, right = shop.judge(odd), shop.judge(plain)
    told = {n.code for n in odd_report.notices}
    agree = odd_report.verdict.abstained or (
        _near(odd_report, right) and odd_report.verdict.is_fake == right.verdict.is_fake
    )
    wanted = f"near {_said(right)}" + (f", told: {', '.join(codes)}" if codes else "")
    return RowOutcome(wanted, _said(odd_report), agree and told >= set(codes))


def _turned(change: str, name: str) -> Callable[[Workshop], RowOutcome]:
    def work(shop: Workshop) -> RowOutcome:
        source = shop.clip(name)
        odd = shop.make("odd.mp4", f"-t 8 -i {{source}} -vf {change} {CODE}", source=source)
        plain = shop.make("plain.mp4", f"-t 8 -i {{source}} {CODE}", source=source)
        return _as_like(shop, odd, plain, *(() if change == "hflip" else ("turned",)))

    return work


def _dissolve(shop: Workshop) -> RowOutcome:
    genuine = shop.clip("liveportrait_d10.mp4")
    reports = []
    for name, join in (
        ("odd", "xfade=fade:duration=1.5:offset=7.5"),
        ("plain", "concat=n=2:v=1"),
    ):
        graph = f"[0:v]{FIT},crop=300:300,scale=400:400,crop=400:300[a];[1:v]{FIT}[b];[a][b]{join}"
        command = "-stream_loop 1 -t 9 -i {genuine} -i {planted} -filter_complex"
        words = f"{command} {graph} {CODE}"
        path = shop.make(f"{name}.mp4", words, genuine=genuine, planted=shop.planted)
        reports.append(shop.judge(path))
    odd_report, right = reports
    ok = len(odd_report.tracks) == 2 and odd_report.verdict.is_fake == right.verdict.is_fake
    return RowOutcome(
        f"2 persons, near {_said(right)}", _said(odd_report), ok and _near(odd_report, right)
    )


def _joined(order: str) -> Callable[[Workshop], RowOutcome]:
    def work(shop: Workshop) -> RowOutcome:
        genuine = shop.clip("liveportrait_d10.mp4")
        words = f"-t 8 -i {{source}} -vf {FIT} {CODE} -f mpegts"
        parts = {"a": shop.make("a.ts", words, source=genuine)}
        parts["b"] = shop.make("b.ts", "-i {source} -c copy -f mpegts", source=shop.planted)
        path = shop.folder / "joined.ts"
        path.write_bytes(b"".join(parts[name].read_bytes() for name in order))
        frames = sum(len(media.probe(part).pts) for part in parts.values())
        joined, right = shop.judge(path), shop.judge(parts["b"])
        restarts = "clock_restarts" in {n.code for n in joined.notices}
        whole = len(joined.video.pts) == frames
        ok = restarts and whole and len(joined.tracks) == 2 and joined.verdict.is_fake
        return RowOutcome(
            f"{frames} frames, 2 persons, near {_said(right)}",
            f"{len(joined.video.pts)} frames, {_said(joined)}",
            ok and _near(joined, right),
        )

    return work


def _shapes(shop: Workshop) -> RowOutcome:
    source = shop.clip("liveportrait_d3.mp4")
    code = "-an -c:v libvpx -b:v 2M -pix_fmt yuv420p"
    grounds = {"up": "360:640:0:140", "flat": "640:360:140:0"}
    for name, ground in grounds.items():
        words = f"-t 4 -i {{source}} -vf scale=360:360,pad={ground}:gray {code}"
        shop.make(f"{name}.webm", words, source=source)
    where = shop.folder / "list.txt"
    where.write_text("".join(f"file {name}.webm\n" for name in grounds), encoding="utf-8")
    odd = shop.make("odd.webm", "-f concat -i {where} -c copy", where=where)
    words = f"-t 4 -i {{source}} -vf scale=360:360 {code}"
    right, odd_report = shop.judge(shop.make("plain.webm", words, source=source)), shop.judge(odd)
    size = f"{odd_report.video.width}x{odd_report.video.height}"
    faceless = "frames_without_face" in {n.code for n in odd_report.notices}
    ok = size == "640x640" and not faceless and _near(odd_report, right)
    wanted = f"640x640, a face in every moment, near {_said(right)}"
    return RowOutcome(wanted, f"{size}, {_said(odd_report)}", ok)


def _tag(shop: Workshop) -> RowOutcome:
    words = "-i {source} -an -c copy -bsf:v h264_metadata=matrix_coefficients=8"
    return _as_like(
        shop, shop.make("odd.mp4", words, source=shop.planted), shop.planted, "colour_tag"
    )


def _interlaced(flag: str, *codes: str) -> Callable[[Workshop], RowOutcome]:
    def work(shop: Workshop) -> RowOutcome:
        source = shop.clip("liveportrait_d9.mp4")
        weave = "scale=512:480,tinterlace=interleave_top"
        tff = ",setfield=tff" if flag else ""
        words = f"-i {{source}} -vf {weave}{tff} -an -c:v libx264 -crf 12 {flag}"
        odd = shop.make("odd.mp4", words, source=source)
        words = "-i {source} -vf scale=512:480,framestep=2 -an -c:v libx264 -crf 12"
        plain = shop.make("plain.mp4", words, source=source)
        odd_report, right = shop.judge(odd), shop.judge(plain)
        is_noticed = set(codes) <= {n.code for n in odd_report.notices}
        same = odd_report.verdict.is_fake == right.verdict.is_fake
        return RowOutcome(f"the verdict of {_said(right)}", _said(odd_report), same and is_noticed)

    return work


def _hdr(shop: Workshop) -> RowOutcome:
    code = "-an -c:v libx265 -x265-params log-level=error:crf=10"
    marks = "-color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc"
    words = f"-t 8 -i {{source}} -vf {PQ} {code} {marks}"
    odd = shop.make("odd.mp4", words, source=shop.planted)
    plain = shop.make("plain.mp4", f"-t 8 -i {{source}} {code}", source=shop.planted)
    return _as_like(shop, odd, plain, "hdr")


def _streams(shop: Workshop) -> RowOutcome:
    words = (
        "-i {still} -i {film} -map 0:v -map 1:v -c:v:0 mjpeg -c:v:1 copy -disposition:v:0 0 "
        "-disposition:v:1 0"
    )
    odd = shop.make("odd.mkv", words, still=samples.path("astronaut"), film=shop.planted)
    return _as_like(shop, odd, shop.planted, "several_streams")


def _table(shop: Workshop) -> RowOutcome:
    path = shop.folder / "list.csv"
    path.write_bytes("path;label\r\nzoë.mp4;real\r\n".encode("cp1252"))
    rows = read_table(path, ("path", "label"), what=phrase("list of clips"))
    return RowOutcome("zoë.mp4, real", ", ".join(rows[0].values()), rows[0]["path"] == "zoë.mp4")


def _large(size: str) -> Callable[[Workshop], RowOutcome]:
    def work(shop: Workshop) -> RowOutcome:
        words = f"-f lavfi -i testsrc2=s={size}:r=5:d=1 -c:v libx264 -preset ultrafast"
        video = media.probe(shop.make("large.mp4", words))
        read = sum(1 for _ in media.read(video, np.array([0, len(video.pts) - 1])))
        return RowOutcome(
            f"{size}, read", f"{video.width}x{video.height}, {read} frames", read == 2
        )

    return work


ROWS: dict[str, tuple[str, Callable[[Workshop], RowOutcome]]] = {
    "F1a": ("a genuine face upside down", _turned("hflip,vflip", "liveportrait_d3.mp4")),
    "F1b": ("mirrored upside down", _turned("vflip", "liveportrait_d5.mp4")),
    "F1c": ("a quarter turn", _turned("transpose=1", "liveportrait_d10.mp4")),
    "F2": ("two people, a dissolve between", _dissolve),
    "F4ab": ("recordings joined", _joined("ab")),
    "F4ba": ("joined the other way round", _joined("ba")),
    "F5": ("the picture changes its shape", _shapes),
    "F6": ("a wrong colour tag", _tag),
    "F7a": ("interlaced", _interlaced("-flags +ilme+ildct -x264opts tff=1", "interlaced")),
    "F7b": ("interlaced without a flag", _interlaced("", "combed")),
    "F8": ("HDR10 (PQ)", _hdr),
    "F9": ("a picture beside the film", _streams),
    "F10": ("a list as Excel writes it", _table),
    "F11a": ("12 megapixels, 4:3", _large("4000x3000")),
    "F11b": ("8K", _large("7680x4320")),
    "held": ("mirrored", _turned("hflip", "liveportrait_d3.mp4")),
}
"""Kind and work of each row, by name."""
