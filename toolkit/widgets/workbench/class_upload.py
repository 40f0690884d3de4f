"""An upload for the app of a class: in parts, so that neither network nor kernel holds it whole."""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from toolkit._i18n import _
from toolkit.errors import ToolkitError, UsageError
from toolkit.media import show_name
from toolkit.messages import phrase

LIMIT = 100_000_000
"""Bytes of one video: a minute or more of a telephone."""

TOTAL_MAX = 400_000_000
"""Bytes of all videos of one session, so that twenty fit on a disk."""

PART_MAX = 1 << 20


class ClassUpload(anywidget.AnyWidget):
    """A button that takes a video from the browser.

    Parameters
    ----------
    folder
        Where videos are put, each under a safe name of its own.
    on_video
        Called with the file once it is complete.
    on_problem
        Called with what is wrong with an upload.

    Attributes
    ----------
    limit
        Bytes of one video; what is larger is refused before it is sent.
    """

    _esm = Path(__file__).with_name("class_upload.js")
    _css = ".dz-class-upload:focus-within { outline: 2px solid #1f5fa8; outline-offset: 1px; }"
    words = traitlets.Dict().tag(sync=True)
    limit = traitlets.Int(LIMIT).tag(sync=True)

    def __init__(
        self,
        folder: Path,
        on_video: Callable[[Path], None],
        on_problem: Callable[[ToolkitError | OSError], None],
    ) -> None:
        super().__init__()
        self._folder, self._on_video, self._on_problem = folder, on_video, on_problem
        self._part: Path | None = None
        self.on_msg(self._on_message)
        self.retranslate()

    def __repr__(self) -> str:
        return "ClassUpload()"

    def retranslate(self) -> None:
        """Say everything in the language in use."""
        limit = round(LIMIT / 1e6)
        self.words = {
            "choose": _("Upload a video (up to {n} MB)").format(n=limit),
            "sending": _("Uploading …"),
        }

    def _on_message(self, _widget: object, content: Any, buffers: list[Any]) -> None:
        if not isinstance(content, dict) or content.get("kind") not in ("part", "refused"):
            return
        try:
            name, size = str(content["name"]), int(content["size"])
            self._check_size(name, size)
            video = self._take(name, size, int(content["offset"]), bytes(buffers[0]))
        except (ToolkitError, OSError) as error:
            self._give_up()
            self.send({"goes_on": False})
            self._on_problem(error)
        except (KeyError, ValueError, TypeError, IndexError):  # no message of our page
            self._give_up()
            self.send({"goes_on": False})
        else:
            self.send({"goes_on": video is None})
            if video is not None:
                self._on_video(video)

    def _check_size(self, name: str, size: int) -> None:
        if not size:
            raise UsageError("this file is empty", show_name(name), "Choose another one.")
        if not 0 < size <= LIMIT:
            raise UsageError(
                "this file is too large to upload",
                phrase("{name}, {size:.1f} MB", name=show_name(name), size=size / 1e6),
                "At most {limit:.0f} MB: send a shorter piece, or ask your teacher to add it to "
                "the clips of the class.",
                limit=LIMIT / 1e6,
            )

    def _take(self, name: str, size: int, offset: int, data: bytes) -> Path | None:
        """Add a part to its file; return the file once it is complete."""
        if offset == 0:
            self._give_up()
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            held = sum(p.stat().st_size for p in self._folder.iterdir())
            if held + size > TOTAL_MAX:
                raise UsageError(
                    "your uploads together are too large",
                    phrase("{size:.0f} MB", size=(held + size) / 1e6),
                    "At most {limit:.0f} MB: close this page and open it again later.",
                    limit=TOTAL_MAX / 1e6,
                )
            self._part = self._folder / f".{secrets.token_hex(8)}.part"
            self._part.touch(mode=0o600)
        part = self._part
        is_next = part is not None and part.stat().st_size == offset
        if part is None or not is_next or not 0 < len(data) <= min(PART_MAX, size - offset):
            raise UsageError(
                "this file did not arrive completely", show_name(name), "Upload it again."
            )
        with part.open("ab") as file:
            file.write(data)
        if offset + len(data) < size:
            return None
        self._part = None
        return part.replace(self._folder / safe_name(name))

    def _give_up(self) -> None:
        """Remove what has come of a file that will not be complete."""
        part, self._part = self._part, None
        if part is not None:
            with contextlib.suppress(OSError):
                part.unlink()


def safe_name(name: str) -> str:
    """Return a name of its own for an uploaded file, safe on every system.

    Examples
    --------
    >>> safe_name("../../a b.mp4")[:4], safe_name("a.mp4").endswith(".mp4")
    ('a_b-', True)
    """
    stem = re.sub(r"[^\w-]+", "_", Path(name).stem).strip("_")[:60] or "video"
    suffix = re.sub(r"[^\w.]", "", Path(name).suffix)[:8]
    return f"{stem}-{secrets.token_hex(3)}{suffix}"
