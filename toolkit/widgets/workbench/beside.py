"""Two detectors on the clip that is on screen: where they agree, and the ledger of their mean."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import ipywidgets

from toolkit._i18n import _, language
from toolkit.errors import ToolkitError
from toolkit.widgets.workbench.chooser import detector_title

if TYPE_CHECKING:
    from toolkit.types import Examination, Report, TrackResult


class DetectorsBeside(ipywidgets.HTML):  # type: ignore[misc]  # ipywidgets ships no types
    """What two results of one clip, by two detectors, say together of one person."""

    def __init__(self) -> None:
        super().__init__(layout={"display": "none"})
        self.add_class("dz-detectors-beside")
        self._reports: tuple[Report, Report] | None = None
        self._person = ""

    def show(self, mine: Examination, theirs: Examination, person: str) -> None:
        """Hold two results of one clip against each other."""
        self._reports, self._person = (mine.report, theirs.report), person
        self.retranslate()

    def hide(self) -> None:
        """Show nothing."""
        self._reports = None
        self.retranslate()

    def look_at(self, person: str) -> None:
        """Say it of another person, where two detectors stand side by side."""
        if person != self._person:
            self._person = person
            self.retranslate()

    def retranslate(self) -> None:
        """Say everything in the language in use."""
        self.layout.display = "none" if self._reports is None else None
        self.value = "" if self._reports is None else beside_text(*self._reports, self._person)


def beside_text(mine: Report, theirs: Report, person: str) -> str:
    """Return what two detectors say of one person as HTML, or why that cannot be said."""
    from toolkit.explain.ensemble import compare_detectors, known_scale
    from toolkit.figures.detectors_beside import beside_html

    results, scales = {}, {}
    for report in (mine, theirs):
        facts = report.settings["detector"]
        track = _track(report, person)
        if track is None:
            text = _("Only one of the two detectors judged person {person}.").format(person=person)
            return f'<p class="dz-note" lang="{language()}">{escape(text)}</p>'
        results[facts["name"]] = track
        scales[facts["name"]] = known_scale(facts["name"], facts["weights_sha256"])
    try:
        found = compare_detectors(results, scales)
    except ToolkitError as error:
        return f'<p class="dz-note" lang="{language()}">{escape(error.text())}</p>'
    titles = {name: detector_title(name) for name in results}
    return f'<div lang="{language()}">{beside_html(found, titles)}</div>'


def _track(report: Report, person: str) -> TrackResult | None:
    return next((r for r in report.tracks if r.track.person == person), None)
