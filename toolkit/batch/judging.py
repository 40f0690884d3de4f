"""The result of one file: its report on disk, then its row.

This is what a worker does. It may be stopped between any two lines.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit import _i18n
from toolkit.batch.journal import CLIPS, Journal, Row, empty_row, facts_of
from toolkit.batch.plan import BatchPlan, FileTask, key_of
from toolkit.errors import VideoError
from toolkit.files import atomic_path, atomic_write
from toolkit.messages import Message

if TYPE_CHECKING:
    from toolkit.types import Examination, FaceCrops, TrackResult

REPORT, RUN, HTML, FACE, NOTEBOOK = (
    "report.json",
    "run.json",
    "report.html",
    "face.jpg",
    "workbench.ipynb",
)
"""What lies in a clip's folder."""

FACE_PX = 96
_STEM_MAX = 40


@dataclass(frozen=True)
class FileOutcome:
    """A row, and whether it was there before."""

    row: Row
    is_new: bool = True


Analyse = Callable[[FileTask, BatchPlan, Row], Row]
"""Writes the report of a file that has this row so far, and returns the rest of the row."""


def judge(task: FileTask, plan: BatchPlan, *, analyse: Analyse | None = None) -> FileOutcome:
    """Judge a file, unless what it holds was judged before at this place.

    Parameters
    ----------
    task
        The file.
    plan
        How it is judged.
    analyse
        What judges its content; None = the analysis. It may raise `VideoError`.

    Raises
    ------
    ToolkitError
        If the installation or the options are not in order: that is no fault of the file.
    OSError
        If the results cannot be written.
    """
    from toolkit.analysis import cached

    began = time.perf_counter()
    journal = Journal(plan.folder)
    facts = facts_of(task.path)  # before the content is read: a later change is seen
    sha256 = cached.digest(Path(task.path))
    before = journal.read(key_of(task.path, sha256))
    if before is not None and before["status"] in ("analysed", "refused"):
        if any(before[name] != value for name, value in facts.items()):  # touched, not changed
            before = {**before, **facts}
            journal.write(before)
        return FileOutcome(before, is_new=False)
    row = {**empty_row(task, sha256), **facts}
    try:
        row |= (analyse or _analyse)(task, plan, row)
    except VideoError as error:
        row |= {"status": "refused", "reason_code": "refused", **_reason(error.message)}
    row["seconds"] = time.perf_counter() - began
    journal.write(row)
    return FileOutcome(row)


def _analyse(task: FileTask, plan: BatchPlan, row: Row) -> Row:
    from toolkit.analysis import pipeline
    from toolkit.storage.cache import Cache
    from toolkit.types import Sampling

    cache = None
    if plan.cache is not None:
        cache = Cache(Path(plan.cache), keeps="room" if plan.keeps else "nothing")
    examination = pipeline.examine(
        task.path,
        detector=plan.detector,
        device=plan.device,
        sampling=Sampling(**plan.sampling),
        explain=plan.explain,
        seed=plan.seed,
        cache=cache,
    )
    # the report names the clip as the user did, so its bytes are those that `analyse` writes
    video = replace(examination.report.video, path=Path(task.given))
    examination = replace(examination, report=replace(examination.report, video=video))
    folder = folder_of(task, plan, row)
    write_report(examination, task, plan, folder)
    return _facts(examination) | {"report": folder.relative_to(plan.folder).as_posix()}


def folder_of(task: FileTask, plan: BatchPlan, row: Row) -> Path:
    """Return the folder for a clip's report; made where it is missing."""
    folder = plan.folder / CLIPS / f"{_stem(task)}-{row['key'][:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_report(examination: Examination, task: FileTask, plan: BatchPlan, folder: Path) -> None:
    """Write a clip's report, page, face and the notebook that opens it, each in one step."""
    from toolkit.analysis import pipeline
    from toolkit.report import html

    report = examination.report
    run = {**pipeline.run_facts(report), "clip": task.path, "cache_saved_s": examination.saved_s}
    _i18n.set_language(plan.language)
    html.write(report, folder / HTML)
    for name, content in ((RUN, run), (REPORT, pipeline.to_dict(report))):
        atomic_write(folder / name, json.dumps(content, indent=1, allow_nan=False) + "\n")
    atomic_write(folder / NOTEBOOK, json.dumps(notebook(folder, plan.language), indent=1) + "\n")
    face = _shown(examination)
    if face is not None:
        import cv2

        small = cv2.resize(face[1].rgb[len(face[1].rgb) // 2], (FACE_PX, FACE_PX))
        _ok, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
        with atomic_path(folder / FACE) as part:
            part.write_bytes(data.tobytes())


def notebook(folder: Path, language: str) -> dict[str, Any]:
    """Return a notebook of one cell that opens a clip's folder in the workbench."""
    source = [
        "import toolkit\n",
        "\n",
        f"toolkit.set_language({language!r})\n",
        f"toolkit.Workbench(toolkit.open_analysis({os.fspath(folder.absolute())!r}))",
    ]
    cell: dict[str, Any] = {
        "cell_type": "code",
        "execution_count": None,
        "id": "open",
        "metadata": {},
        "outputs": [],
        "source": source,
    }
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": [cell],
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _facts(examination: Examination) -> Row:
    report = examination.report
    verdict, video = report.verdict, report.video
    abstained = verdict.abstained or verdict.logit is None
    row = {
        "status": "analysed",
        "person": report.decisive,
        "persons": len(report.tracks),
        "logit": verdict.logit,
        "threshold": verdict.threshold,
        "forged": None if abstained else bool(verdict.is_fake),
        "abstained": abstained,
        "duration_s": video.duration_s,
        "width": video.width,
        "height": video.height,
        "codec": video.codec,
        "saved_s": examination.saved_s,
    }
    if verdict.reason is not None:
        row |= {"reason_code": verdict.reason_code, **_reason(verdict.reason)}
    if (face := _shown(examination)) is not None:
        result, crops = face
        row |= {
            "moments": len(result.track.pts),
            "face_px": _median(crops.face_width),
            "sharpness": _median(crops.sharpness),
        }
    return row


def _shown(examination: Examination) -> tuple[TrackResult, FaceCrops] | None:
    """Return who decides the verdict, else the first person, with the faces."""
    tracks = examination.report.tracks
    decisive = examination.report.decisive
    result = next((r for r in tracks if r.track.person == decisive), next(iter(tracks), None))
    if result is None or len(crops := examination.crops[result.track.person].rgb) == 0:
        return None
    del crops
    return result, examination.crops[result.track.person]


def _median(values: Any) -> float | None:
    middle = float(np.median(values)) if len(values) else float("nan")
    return middle if np.isfinite(middle) else None


def _reason(message: Message) -> Row:
    return {"reason": str(message), "message": message.to_plain()}


def _stem(task: FileTask) -> str:
    return re.sub(r"[^\w-]+", "_", Path(task.path).stem).strip("_")[:_STEM_MAX] or "video"
