"""What of it is personal data, and which files there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolkit import figures
from toolkit._i18n import _
from toolkit.figures.charts import FigureTable
from toolkit.report.sections.blocks import (
    Block,
    ExhibitFigures,
    Facts,
    Grid,
    Section,
    Text,
    or_unknown,
)

FILES_LISTED = 400


def privacy_section(facts: Mapping[str, Any]) -> Section:
    """Return which personal data there are, and on what basis."""
    about = facts["privacy"]
    requested = about["asked"]
    covered = [f"{e}: {', '.join(p)}" for e, p in about["covered"].items() if p]
    revealed = [f"{e}: {', '.join(p)}" for e, p in requested["reveal"].items()]
    synthetic = ", ".join(about["synthetic_material"])
    pairs = (
        (_("legal basis"), or_unknown(about["legal_basis"])),
        (_("kept until"), or_unknown(about["retention"])),
        (_("covered in this report"), "; ".join(covered) or _("nobody")),
        (_("revealed on purpose"), "; ".join(revealed) or _("nobody")),
        (_("marked as synthetic teaching material"), synthetic or _("none")),
    )
    text = _(
        "Faces are biometric data (GDPR, article 9). This report holds no face of a covered "
        "person, no face mesh, no embedding and no sound. The uncovered evidence stays in the "
        "case. For synthetic media see also article 50 of the EU's AI Act."
    )
    return Section("privacy", _("Privacy"), (Text(text), Facts(pairs)), points=(14,))


def file_blocks(e: Mapping[str, Any], _shown: ExhibitFigures) -> list[Block]:
    """Return the files of an exhibit with their hashes."""
    derived = e["derived"]
    intro = _("Everything was made from a working copy with the same hash as the original.")
    heads = (_("file within the case"), "SHA-256")
    listed = list(derived["files"].items())
    rows = tuple((name, sha256) for name, sha256 in listed[:FILES_LISTED])
    pictures = tuple(
        (p["file"], str(p["frame"]), figures.clock(p["pts"], 3), p["sha256"])
        for p in derived["pictures"]
    )
    frames = (_("file within the case"), _("frame"), _("time"), "SHA-256")
    blocks: list[Block] = [
        Text(intro),
        Facts(((_("SHA-256 of the working copy"), derived["working_copy_sha256"]),)),
        Grid(FigureTable(_("Files"), heads, rows), is_long=True),
    ]
    if pictures:
        caption = _("Pictures and the frames they come from")
        blocks.append(Grid(FigureTable(caption, frames, pictures), is_long=True))
    return blocks
