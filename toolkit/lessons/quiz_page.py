"""The quiz as one HTML file that pupils open on their own laptops or phones.

It asks the network for nothing, and a content security policy forbids it to. The right answers lie
in the page, lightly scrambled: a glance at the source gives nothing away, but whoever wants to can
unscramble them. That is said to the teacher; a quiz is no exam.
"""

from __future__ import annotations

import base64
import json
from html import escape
from pathlib import Path
from typing import Any

from toolkit import _i18n, figures
from toolkit._i18n import _
from toolkit.figures.answer import CLEAR_GAP
from toolkit.figures.page_parts import speaking
from toolkit.files import atomic_write
from toolkit.lessons.quiz import Question, Quiz
from toolkit.types import PLAYERS

_HERE = Path(__file__).parent
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; media-src blob:; "
    "img-src data:; base-uri 'none'; form-action 'none'"
)

PAGE_STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: .8rem 1rem 3rem; max-width: 48rem; background: #fff; color: #1f2933;
  font: 1rem/1.5 system-ui, sans-serif; }
header { display: flex; flex-wrap: wrap; justify-content: space-between; gap: .5rem;
  align-items: center; }
header p { margin: 0; font-weight: 600; }
header button { font: inherit; min-height: 2.4em; padding: .2em .9em; color: inherit;
  cursor: pointer;  background: #fff; border: 1px solid #5f6b76; border-radius: 4px; }
header button[aria-pressed="true"] { background: #1f2933; color: #fff; }
header button:focus-visible { outline: 3px solid #1565c0; outline-offset: 2px; }
footer { margin-top: 2rem; font-size: .92rem; color: #46515c; }
"""

# the page's stand-in for a widget model; state is kept by the browser, where it lets us
_HOST = """
const data = JSON.parse(document.getElementById('quiz-data').textContent);
const store = {
  read(key) { try { return JSON.parse(localStorage.getItem(key)); } catch { return null; } },
  write(key, value) {
    try { localStorage.setItem(key, JSON.stringify(value)); } catch { /* a private window */ }
  },
};
const key = `doorzicht-quiz-${data.quiz.number}`;
const values = { quiz: data.quiz, state: store.read(key), language: data.language };
const listeners = {};
const model = {
  get: (name) => values[name],
  set(name, value) { values[name] = value; if (name === 'state') store.write(key, value); },
  save_changes() {},
  on(name, listener) { (listeners[name] ??= []).push(listener); },
};
function speak(language) {
  values.language = language;
  document.documentElement.lang = language;
  document.title = data.quiz.strings[language].title;
  document.querySelector('header p').textContent = data.quiz.strings[language].title;
  document.querySelector('footer').textContent = data.quiz.strings[language].page_note;
  for (const b of document.querySelectorAll('header button')) {
    b.setAttribute('aria-pressed', String(b.lang === language));
  }
  for (const listener of listeners['change:language'] ?? []) listener();
}
for (const b of document.querySelectorAll('header button')) {
  b.addEventListener('click', () => speak(b.lang));
}
render({ model, el: document.querySelector('main') });
speak(values.language);
"""


def write(quiz: Quiz, out: Path, *, language: str | None = None) -> Path:
    """Write the page; its language can be switched, and begins with the one given.

    Parameters
    ----------
    quiz
        What to ask.
    out
        The HTML file; its folder must exist.
    language
        None = the one in use.

    Returns
    -------
    Path
        `out`.
    """
    atomic_write(out, page(quiz, language=language))
    return out


def page(quiz: Quiz, *, language: str | None = None) -> str:
    """Return the whole document."""
    first = language or _i18n.language()
    content = data(quiz)
    title = escape(content["strings"][first]["title"])
    embedded = json.dumps({"quiz": content, "language": first}, ensure_ascii=False)
    embedded = embedded.replace("<", "\\u003c").replace("\u2028", " ").replace("\u2029", " ")
    script = (
        source().replace("export default", "const unused =").replace("export function", "function")
    )
    return (
        f'<!doctype html>\n<html lang="{first}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{title}</title><style>{PAGE_STYLE}{style()}</style></head><body>"
        f'<header><p>{title}</p><div><button type="button" lang="en">English</button> '
        '<button type="button" lang="nl">Nederlands</button></div></header>'
        "<main></main><footer></footer>"
        f'<script type="application/json" id="quiz-data">{embedded}</script>'
        f'<script type="module">{script}\n{_HOST}</script></body></html>\n'
    )


def source() -> str:
    """Return the module that shows a quiz, in a notebook and in the page."""
    return (_HERE / "quiz_page.js").read_text(encoding="utf-8")


def style() -> str:
    """Return its style sheet."""
    return (_HERE / "quiz_page.css").read_text(encoding="utf-8")


def data(quiz: Quiz) -> dict[str, Any]:
    """Return what the module needs: plain values, answers scrambled, words in both languages."""
    return {
        "number": quiz.number,
        "players": list(PLAYERS),
        "questions": [
            {
                "clip": base64.b64encode(q.clip).decode(),
                "face": base64.b64encode(q.face).decode(),
                "outlines": dict(q.outlines),
                "secret": scramble(_secret(q), quiz.number),
            }
            for q in quiz.questions
        ],
        "strings": {code: _in(code) for code in _i18n.LANGUAGES},
    }


def _secret(question: Question) -> dict[str, Any]:
    plan = question.plan
    return {
        "kind": plan.kind,
        "regions": list(plan.regions),
        "forgedRegions": sorted(plan.forged_regions),
        "isCareful": plan.kind == "planted" and plan.strength < 1,
        "isReshared": bool(plan.chain),
        "verdict": question.verdict,
        "isClear": abs(question.gap) >= CLEAR_GAP,
        "top": question.top,
        "reason": question.reason if question.reason in _reasons() else question.reason and "other",
        "heat": base64.b64encode(question.heat).decode(),
        "mask": base64.b64encode(question.mask).decode(),
    }


def scramble(value: object, number: int) -> str:
    """Return a JSON value as base64, scrambled with a stream that the number starts.

    No encryption: the number stands beside it. `unscramble` in ``quiz.js`` is its other end.
    """
    state = (number * 2_654_435_761 + 12_345) & 0xFFFFFFFF
    out = bytearray(json.dumps(value).encode())
    for i in range(len(out)):
        state = (state * 1_664_525 + 1_013_904_223) & 0xFFFFFFFF
        out[i] ^= state >> 24
    return base64.b64encode(bytes(out)).decode()


def _in(code: str) -> dict[str, str]:
    with speaking(code):
        return strings()


_REASONS = (
    "unsure_face",
    "face_too_small",
    "too_few_frames",
    "pose",
    "cut_off",
    "low_quality",
    "weak_mesh",
    "other",
)


def _reasons() -> dict[str, str]:
    """Return why no verdict is given, by its word; 'other' for one that is not known here."""
    return {code: figures.plain_reason(code) for code in _REASONS}


def strings() -> dict[str, str]:
    """Return every sentence of the quiz in the language in use."""
    return {
        "title": _("Spot the fake"),
        "intro": _(
            "{n} short clips. Some are recordings as they were, some were forged by our own code."
        ),
        "intro_one": _("One short clip."),
        "rule_1": _(
            "Look, and give your own answer: genuine or forged, how sure you are, and where."
        ),
        "rule_2": _("Then hear what the detector says, and see why."),
        "rule_3": _("Answer again. You may keep your answer or change it."),
        "rule_4": _("Then see the truth. The detector is not always right."),
        "warning": _(
            "Every clip carries the words 'may be synthetic', the genuine ones too. Do not share "
            "the clips."
        ),
        "start": _("Start"),
        "question": _("Clip {k} of {n}"),
        "clip": _("The clip, without sound"),
        "clip_fails": _(
            "This browser cannot play the clip. Try another one, such as Firefox or Chrome."
        ),
        "first": _("Is this clip genuine or forged?"),
        "genuine": _("genuine"),
        "forged": _("forged"),
        "sure": _("How sure are you?"),
        "sure_0": _("just a guess"),
        "sure_1": _("fairly sure"),
        "sure_2": _("sure"),
        "where": _("Which part do you suspect?"),
        "where_note": _(
            "Click on the face or choose from the list. Left and right are the person's own."
        ),
        "nowhere": _("no part"),
        "face": _("The face, one moment of the clip"),
        "answer": _("That is my answer"),
        "incomplete": _("Choose genuine or forged, and how sure you are."),
        "incomplete_second": _("Choose genuine or forged."),
        "you_said": _("You said: {verdict}, {sure}."),
        "you_where": _("You suspected: {region}."),
        "model": _("What the detector says"),
        "model_forged_clear": _(
            "The detector calls this clip forged; its evidence is clearly above the threshold."
        ),
        "model_forged_narrow": _(
            "The detector calls this clip forged, but only just: its evidence is near the "
            "threshold."
        ),
        "model_not_forged_clear": _(
            "The detector does not call this clip forged; its evidence is clearly below the "
            "threshold."
        ),
        "model_not_forged_narrow": _(
            "The detector does not call this clip forged, but only just: its evidence is near the "
            "threshold."
        ),
        "model_none": _("The detector gives no verdict on this clip."),
        **{f"reason_{code}": text for code, text in _reasons().items()},
        "why": _("Why does it say that?"),
        "explanation": _("What the detector looked at"),
        "heat": _("The detector's evidence: orange speaks for forged, blue against"),
        "top": _(
            "Most important to this detector: {region}. That is not the same as: this part was "
            "altered."
        ),
        "top_none": _(
            "No region is named, because the evidence stays below the threshold or cannot be "
            "divided."
        ),
        "top_no_verdict": _("Without a verdict no region is named."),
        "heat_note": _("The picture shows what the detector used. It is no proof of a forgery."),
        "second": _("And now: genuine or forged?"),
        "final": _("That is my final answer"),
        "truth": _("The truth"),
        "truth_genuine": _(
            "This clip is genuine: a stretch of a recording in which no face was changed."
        ),
        "truth_planted": _(
            "This clip is forged: our own code changed a part of the face ({regions})."
        ),
        "truth_swapped": _("This clip is forged: another person's face was put on this one."),
        "careful": _("The change was made small on purpose."),
        "reshared": _(
            "The clip was also sent on: made smaller or cut, and coded again, as happens on the "
            "internet."
        ),
        "mask": _("The line runs round what was forged"),
        "where_right": _("The part you suspected is one that was forged."),
        "where_wrong": _("The part you suspected was not forged."),
        "outcome_misled": _(
            "You were right, and a detector that was wrong made you change your mind. That "
            "happens to many people."
        ),
        "outcome_stood": _("The detector was wrong, and you kept your own right answer."),
        "outcome_helped": _(
            "The detector helped you: you were wrong at first, and right at the end."
        ),
        "outcome_all_wrong": _("You and the detector were both wrong. Some clips fool everybody."),
        "outcome_own_way": _("The detector was wrong, and you found the right answer after all."),
        "outcome_alone_right": _("You were right without any help from the detector."),
        "outcome_alone_wrong": _(
            "The detector said nothing, and you were wrong. This one is hard."
        ),
        "outcome_all_right": _("You and the detector were both right."),
        "outcome_not_followed": _("The detector was right here, and your last answer was not."),
        "next": _("Next clip"),
        "to_result": _("To my result"),
        "result": _("Your result"),
        "you_alone": _("You alone, right"),
        "model_alone": _("The detector alone, right"),
        "you_together": _("You after hearing the detector, right"),
        "you_misled": _("Pulled away from the right answer by the detector"),
        "you_helped": _("Brought to the right answer by the detector"),
        "n_of": _("{n} of {of}"),
        "code": _("Your result code"),
        "copy": _("Copy the code"),
        "copied": _("Copied."),
        "copy_by_hand": _("Select the code and copy it by hand."),
        "code_note": _(
            "Give this code to your teacher. It holds your answers and a random number, and no "
            "name."
        ),
        "table": _("All clips"),
        "clip_number": _("Clip"),
        "cell_truth": _("Truth"),
        "cell_first": _("You first"),
        "cell_second": _("You at the end"),
        "cell_right": _("✓ right"),
        "cell_wrong": _("✗ wrong"),
        "cell_called": _("called forged"),
        "cell_not_called": _("not called forged"),
        "cell_none": _("no verdict"),
        "again": _("Begin again"),
        "page_note": _(
            "This page works without a network and sends nothing. The answers lie in the page, "
            "lightly "
            "scrambled: whoever wants to cheat can. The clips show real people; keep them to "
            "yourself."
        ),
        **{f"region_{player}": figures.region_name(player) for player in PLAYERS},
    }
