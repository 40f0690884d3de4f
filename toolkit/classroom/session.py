"""What a kernel of the class app knows: its folder, which clips it may open, and whom to ask."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from toolkit import samples
from toolkit.batch.inputs import is_video
from toolkit.errors import UsageError
from toolkit.media import show_name
from toolkit.storage.cache import RUNS_VARIABLE

CLASS_VARIABLE = "DOORZICHT_CLASS"
"""Environment variable of a kernel of the class app: the pool's port, and the session's secret."""

CLIPS_VARIABLE = "DOORZICHT_CLIPS"
"""Environment variable that names the folder of clips which the teacher offers."""

CLIPS_MAX = 200


@dataclass(frozen=True)
class ClassSession:
    """One browser's session in the class app.

    Attributes
    ----------
    port
        Where the pool listens, on this computer only.
    secret
        What tells the pool which session asks.
    folder
        Whatever the session keeps lies here: uploads, results, what it saves.
    clips
        Folder of clips that are offered to all; None = only the samples.
    """

    port: int
    secret: str
    folder: Path
    clips: Path | None = None

    def environment(self) -> dict[str, str]:
        """Return the environment variables from which `current` makes the same session."""
        variables = {
            CLASS_VARIABLE: f"{self.port}:{self.secret}",
            RUNS_VARIABLE: os.fspath(self.folder),
        }
        return variables | ({CLIPS_VARIABLE: os.fspath(self.clips)} if self.clips else {})

    def offered(self) -> list[Path]:
        """Return the teacher's clips by name; links are left out."""
        if self.clips is None:
            return []
        try:
            paths = sorted(self.clips.iterdir())
            files = [p for p in paths if p.is_file() and not p.is_symlink()]
        except OSError:
            return []
        return [p for p in files if is_video(p)][:CLIPS_MAX]

    def may_open(self, path: Path) -> bool:
        """Return whether a file is one of the session, the samples or the teacher's clips.

        A link counts as what it leads to.
        """
        allowed = (self.folder, samples.FOLDER, self.clips)
        try:
            real = path.resolve()
            return any(real.is_relative_to(folder.resolve()) for folder in allowed if folder)
        except (OSError, ValueError, RuntimeError):  # no name of a file; links in a circle
            return False

    def check(self, path: Path) -> None:
        """Refuse a file that is none of the class.

        Raises
        ------
        UsageError
            If `may_open` says no.
        """
        if not self.may_open(path):
            raise UsageError(
                "in a class only uploaded videos and those in the menu are opened",
                show_name(path),
                "Upload the video, or ask your teacher to add it to the clips of the class.",
            )


def current(environment: Mapping[str, str] = os.environ) -> ClassSession | None:
    """Return the session that this kernel belongs to; None outside of the class app."""
    port, _, secret = environment.get(CLASS_VARIABLE, "").partition(":")
    if not port.isdecimal() or not secret:
        return None
    clips = environment.get(CLIPS_VARIABLE)
    folder = Path(environment[RUNS_VARIABLE])
    return ClassSession(int(port), secret, folder, Path(clips) if clips else None)
