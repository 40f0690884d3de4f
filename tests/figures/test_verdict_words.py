"""No sentence about a verdict says or implies that a video is genuine, in either language.

*Not called forged* is what the detector did; *not forged* would be a claim about the video.
"""

from __future__ import annotations

import re
from dataclasses import replace
from html import escape
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from tests.widgets import made_up
from toolkit import _i18n, figures
from toolkit.analysis import robustness

PO = Path(_i18n.__file__).with_name("locale") / "nl" / "LC_MESSAGES" / "toolkit.po"

# what only somebody who knows the truth may say of a video
CLAIMS = {
    "en": re.compile(
        r"\b(?:is|looks|seems|appears|video:?) (?:genuine|real|authentic|original|not forged"
        r"|unforged|untouched|clean|not a deepfake)\b|\bnot forged\b(?! does)",
        re.IGNORECASE,
    ),
    "nl": re.compile(
        r"\b(?:is|lijkt|blijkt)(?: deze video)? (?:echt|authentiek|origineel|niet vervalst"
        r"|onvervalst|schoon|geen deepfake)\b"
        r"|(?<!noemt deze video )(?<!noemt het gezicht )(?<!noemt hem )\bniet vervalst\b"
        r"(?! genoemd)(?! noemt)|volgens (?:de|deze) detector",
        re.IGNORECASE,
    ),
}
DENIED = {  # the caution names what it denies
    "en": re.compile(
        r"[^.]*\b(?:does not|nor) (?:show|mean|make)[^.]*\.|neither forged nor genuine"
    ),
    "nl": re.compile(
        r"[^.]*\b(?:maakt hem niet|betekent niet|niet aangetoond)[^.]*\."
        r"|niet vervalst genoemd, en ook niet echt"
    ),
}


def claims(text: str, language: str) -> list[str]:
    """Return what a sentence claims of the video, beside what it expressly denies."""
    return CLAIMS[language].findall(DENIED[language].sub("", text))


def reports():
    """Return a report of each kind of verdict: clear and close, none, and with nobody in it."""
    for forged in (True, False):
        clear = made_up.result(forged=forged)
        side = 1 if forged else -1
        close = replace(
            clear, verdict=replace(clear.verdict, threshold=clear.verdict.logit - 0.05 * side)
        )
        for result in (clear, close):
            yield made_up.report(result)
            yield made_up.report(result, made_up.abstained())
    yield made_up.report(made_up.abstained("A"))
    yield made_up.nobody(made_up.report())


def verdict_sentences(report) -> list[str]:
    """Return everything that is said of the verdict, about the clip and about each person."""
    lines = [*figures.answer_lines(report), figures.headline(report), figures.caution(report)]
    lines += [figures.plain_reason(report.verdict.reason_code)]
    for r in report.tracks:
        lines += [figures.track_sentence(r), figures.region_sentence(r)]
        lines += [figures.frame_sentence(r, frame.position) for frame in r.key_frames]
    lines += [robustness._word(w) for w in ("forged", "not_forged", "abstained", "missing")]
    return lines


@pytest.mark.parametrize("language", ["en", "nl"])
def test_no_verdict_sentence_claims_that_a_video_is_genuine(language):
    _i18n.set_language(language)
    for report in reports():
        for sentence in verdict_sentences(report):
            assert claims(sentence, language) == [], sentence


@pytest.mark.parametrize("language", ["en", "nl"])
def test_a_verdict_has_no_two_numbers_for_one_thing(language):
    """Times aside, the sentence that is shown has no number; the exact line has score and line."""
    _i18n.set_language(language)
    number = re.compile(r"[+−]?\d+[.,]\d+")
    time = re.compile(r"\d+:\d\d[.,]\d")
    for report in reports():
        shown = [figures.headline(report), figures.distance_sentence(report)]
        shown += [figures.caution(report), figures.plain_reason(report.verdict.reason_code)]
        for sentence in shown:
            assert number.findall(time.sub("", sentence)) == [], sentence
        verdict = report.verdict
        if not verdict.abstained:
            wanted = [figures.number(v, signed=True) for v in (verdict.logit, verdict.threshold)]
            assert number.findall(figures.exact_sentence(report)) == wanted


@pytest.mark.parametrize("language", ["en", "nl"])
def test_the_caution_stands_with_every_verdict(language):
    """On the panel and in the page without a click, and on the command line."""
    _i18n.set_language(language)
    for report in reports():
        caution = figures.caution(report)
        assert caution in " ".join(figures.answer_lines(report))
        shown = re.sub(r"<details.*?</details>", "", figures.answer_html(report), flags=re.DOTALL)
        assert escape(caution) in shown
        assert shown.count("<b>") == 1


def test_in_dutch_the_detector_calls_forged_wherever_it_does_in_english():
    """Whatever panel says it: 'niet vervalst' alone would be a fact about the video."""
    with PO.open("rb") as file:
        texts = [m for m in read_po(file) if m.id]
    called = re.compile(r"\bcall(?:s|ed)?\b[^.]*\bforged\b")
    for message in texts:
        english = message.id if isinstance(message.id, str) else message.id[-1]
        if not called.search(english):
            continue
        for dutch in [message.string] if isinstance(message.string, str) else message.string:
            assert re.search(r"\b(?:noem|genoemd|heet)", dutch), dutch
            assert not re.search(r"vervalst volgens|volgens d\w+ detector", dutch), dutch


def test_the_check_bites():
    assert claims("Volgens de detector is deze video niet vervalst: …", "nl")
    assert claims("Persoon A: niet vervalst volgens deze detector.", "nl")
    assert claims("This video is genuine.", "en")
    assert claims("Person A: not forged.", "en")
    assert not claims("De detector noemt deze video niet vervalst.", "nl")
    assert not claims("Niet vervalst genoemd.", "nl")
    assert not claims("The detector does not call this video forged.", "en")
