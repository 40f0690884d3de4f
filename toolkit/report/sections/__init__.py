"""A case's report as one tree of sections and blocks, in the language in use.

HTML, PDF and the words in `report.json` are all rendered from this tree, so they say the same.
Texts are plain: whoever renders escapes them. One module for each part of the report; `build` puts
them in order.
"""

from __future__ import annotations

from toolkit.report.sections.blocks import (
    FIRST_OPINION,
    TEXT_MAX,
    Block,
    ExhibitFigures,
    Facts,
    Figure,
    Grid,
    Items,
    Play,
    ReportTree,
    Section,
    Still,
    Strip,
    Text,
    disclaimer,
    unknown,
    when,
    written,
)
from toolkit.report.sections.figures import compared, trust_name
from toolkit.report.sections.log import event_name, point_title
from toolkit.report.sections.people import alternative_name, state_name
from toolkit.report.sections.privacy import FILES_LISTED
from toolkit.report.sections.result import why_unused
from toolkit.report.sections.summary import default_h1, default_h2, default_question
from toolkit.report.sections.tree import build

__all__ = [
    "FILES_LISTED",
    "FIRST_OPINION",
    "TEXT_MAX",
    "Block",
    "ExhibitFigures",
    "Facts",
    "Figure",
    "Grid",
    "Items",
    "Play",
    "ReportTree",
    "Section",
    "Still",
    "Strip",
    "Text",
    "alternative_name",
    "build",
    "compared",
    "default_h1",
    "default_h2",
    "default_question",
    "disclaimer",
    "event_name",
    "point_title",
    "state_name",
    "trust_name",
    "unknown",
    "when",
    "why_unused",
    "written",
]
