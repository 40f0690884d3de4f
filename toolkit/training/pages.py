"""Judge each page of forgeries with heads that were trained without it.

What a detector finds on pages it was trained on says nothing of other ones. So for each page with
forgeries heads are trained on the others, and only they judge its clips; what no head was trained
on is judged by heads trained on all pages. Training goes on from what lies in the work folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toolkit.errors import UsageError
from toolkit.training.clip_head import HeadRecipe, HeadTrainer
from toolkit.training.data import index_folder
from toolkit.training.tokens import read_clips
from toolkit.types import Tick, no_tick


def judge(
    faces: Sequence[tuple[Path, float]],
    clips: Path,
    work: Path,
    recipe: HeadRecipe,
    *,
    under: Sequence[str],
    tick: Tick = no_tick,
) -> list[dict[str, Any]]:
    """Return what heads say of clips that they were not trained on.

    Parameters
    ----------
    faces, work, recipe
        As for `clip_head.train`.
    clips
        The list.
    under
        Beginnings of the paths that may train; the other clips of the list are only judged.
    tick
        As `Trainer` calls it, and stage ``"judge"``.

    Returns
    -------
    list of dict
        Per clip `path`, `page`, `is_fake`, `left_out` (the page that the heads did not see; None =
        they saw all that may train) and `logits`, one for each of up to `tokens.FRAMES` faces.

    Raises
    ------
    UsageError
        If no clip that may train is forged.
    """
    everything = read_clips([(clips, 1.0)])
    training = {c.path for c in read_clips([(clips, 1.0)], under=under)}
    pages = sorted({c.page for c in everything if c.is_fake and c.path in training})
    if not pages:
        raise UsageError("no clip that may train is forged", str(clips), "Check --under.")
    folders = [index_folder(p, work, weight=w, tick=tick) for p, w in faces]
    rows = []
    for page in (*pages, None):
        others = [c for c in everything if c.path in training and c.page != page]
        trainer = HeadTrainer(folders, others, work, recipe, tick=tick)
        trainer.run(tick=tick)
        heads = trainer.together()
        seen = {c.path for c in others} if page is None else set()
        mine = [c for c in everything if page in (None, c.page) and c.path not in seen]
        mine = [c for c in mine if page is None or c.path in training]
        for done, clip in enumerate(mine):
            tick("judge", done, len(mine))
            logits = trainer.judge_clip(heads, clip.path).tolist()
            about = {"path": str(clip.path), "page": clip.page, "is_fake": clip.is_fake}
            rows.append({**about, "left_out": page, "logits": logits})
    return rows
