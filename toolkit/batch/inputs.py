"""Which files are to be judged: those in a folder, those in a list, or those that are named."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from toolkit.batch.plan import FileTask
from toolkit.errors import UsageError
from toolkit.evaluation.lists import read_table
from toolkit.messages import phrase

VIDEO_SUFFIXES = tuple(
    f".{kind}"
    for kind in (
        *("3g2", "3gp", "asf", "avi", "divx", "f4v", "flv", "h264", "h265", "hevc", "m2ts", "m2v"),
        *("m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "mxf", "ogm", "ogv", "ts", "vob"),
        *("webm", "wmv"),
    )
)
"""In a folder other files are left alone; in a list every file is judged, or refused."""

SOURCE_COLUMNS = ("source", "dataset")


@dataclass(frozen=True)
class Inputs:
    """The files, and how many others lay beside them.

    Attributes
    ----------
    tasks
        One for each file, in order of their paths.
    left_out
        Files of the folder that are no videos by their names.
    """

    tasks: tuple[FileTask, ...]
    left_out: int = 0


def from_folder(folder: Path, *, but: Path | None = None) -> Inputs:
    """Return the videos in a folder and those within; hidden ones are left alone.

    The source of a file is the first folder on the way to it.

    Parameters
    ----------
    folder
        Where to look. Symbolic links to folders are not followed.
    but
        A folder to leave out: that of the results.
    """
    tasks, left_out = [], 0
    for path in _walk(folder, None if but is None else but.absolute()):
        if is_video(path):
            within = path.relative_to(folder).parts
            source = within[0] if len(within) > 1 else folder.absolute().name
            tasks.append(task_of(path, source))
        else:
            left_out += 1
    return Inputs(tuple(tasks), left_out)


def from_list(path: Path) -> Inputs:
    """Return the files of a list: a column ``path``, relative to the list; ``source`` if known.

    A file that stands in it twice is judged once.

    Raises
    ------
    UsageError
        If it cannot be read as a table with that column.
    """
    rows = read_table(path, ("path",), what=phrase("list of videos"))
    tasks: dict[str, FileTask] = {}
    for row in rows:
        file = path.parent / row["path"].strip()
        source = next((row[c].strip() for c in SOURCE_COLUMNS if row.get(c, "").strip()), None)
        task = task_of(file, file.parent.name if source is None else source)
        tasks.setdefault(task.path, task)
    return Inputs(tuple(tasks.values()))


def from_paths(paths: Iterable[str | os.PathLike[str]]) -> Inputs:
    """Return files that are named one by one; the source is the folder of each."""
    tasks: dict[str, FileTask] = {}
    for path in paths:
        file = Path(path).expanduser()
        task = task_of(file, file.absolute().parent.name)
        tasks.setdefault(task.path, task)
    return Inputs(tuple(tasks.values()))


def find(place: Path, *, but: Path | None = None) -> Inputs:
    """Return the files that a folder or a list stands for; of a single video, that video.

    Raises
    ------
    UsageError
        If it is neither, or there is nothing in it.
    """
    if place.is_dir():
        inputs = from_folder(place, but=but)
        if not inputs.tasks:
            remedy = "Name a folder with videos, or a list: a CSV file with a column 'path'."
            raise UsageError("there is no video in this folder", str(place), remedy)
        return inputs
    if not place.exists():
        raise UsageError("there is no such folder or list", str(place), "Check the path.")
    return from_paths([place]) if is_video(place) else from_list(place)


def is_video(path: Path) -> bool:
    """Return whether a file is a video by its name."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def task_of(path: Path, source: str) -> FileTask:
    """Return the task of a file, at the path as it was given."""
    return FileTask(os.path.abspath(path), str(path), source)  # noqa: PTH100 - 'resolve' follows links


def _walk(folder: Path, but: Path | None) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and Path(here, name).absolute() != but
        )
        for name in sorted(files):
            if not name.startswith("."):
                yield Path(here, name)
