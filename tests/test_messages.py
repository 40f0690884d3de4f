"""What is said to people: templates with values, whole in every language, across processes too."""

from __future__ import annotations

import ast
import json
import multiprocessing
import pickle
import re
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from string import Formatter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import catalogue
from toolkit import _i18n, media
from toolkit.casework.lock import BusyError
from toolkit.errors import (
    Cancelled,
    FetchError,
    OutOfRangeError,
    ToolkitError,
    UnknownNameError,
    UsageError,
    VideoError,
)
from toolkit.explain.trust import TrustFigure
from toolkit.messages import Message, Typeset, joined, phrase, text_of
from toolkit.storage.serialise import Packed, pack, unpack
from toolkit.types import Notice, Verdict


def fields(template: str) -> list[tuple[str, str | None]]:
    return sorted((n, s) for _text, n, s, _how in Formatter().parse(template) if n is not None)


def names(template: str) -> set[str]:
    return {name for name, _spec in fields(template)}


# -- what stands in the source


def test_every_message_of_the_package_is_in_the_catalogue():
    said, dutch = catalogue.calls(), catalogue.catalogue(catalogue.PO)
    assert len(said) > 400
    missing = [
        (s.where, t)
        for s in said
        for t in s.templates
        if catalogue.has_words(t) and not (dutch.get(t) and dutch.get(t).string)
    ]
    assert missing == [], "run: python -m tests.catalogue, and write the Dutch"


def test_no_message_is_put_together_before_it_is_said():
    odd = [(s.where, text) for s in catalogue.calls() for text in s.odd]
    assert odd == [], "an f-string, a sum or a translated text: see toolkit/messages.py"


def test_every_message_gets_the_values_that_it_names():
    wrong = []
    for said in catalogue.calls():
        if said.values is None or not said.templates or said.name == "TrustFigure":
            continue
        named = [names(t) for t in said.templates]
        if said.name in catalogue.WHERE:  # a variable may hold one of several templates
            fits = said.values in named
        else:
            fits = said.values == set().union(*named) - {"known"}
        if not fits:
            wrong.append((said.where, said.templates, said.values))
    assert wrong == []


def test_words_in_the_value_of_an_error_are_a_phrase():
    wrong = []
    for said in catalogue.calls():
        value = said.value
        parts = value.values if isinstance(value, ast.JoinedStr) else [value]
        plain = " ".join(str(p.value) for p in parts if isinstance(p, ast.Constant))
        plain = re.sub(r"\w+ = ", "", plain)  # the name of a setting is one for programs
        if re.search(r"[a-z]{2,} |[a-z] [a-z]{2,}| [a-z]{3,}", plain):
            wrong.append((said.where, plain))
    assert wrong == []


def test_the_dutch_formats_numbers_as_the_english_does():
    for message in catalogue.catalogue(catalogue.PO):
        if isinstance(message.id, str) and message.id:
            assert fields(message.string) == fields(message.id), message.id


def test_no_sentence_is_recognised_by_pattern():
    english = [t for t in catalogue.texts() if " " in t]
    looks = {"startswith", "endswith", "partition", "rpartition", "split", "find", "index"}
    looks |= {"match", "fullmatch", "search", "compile", "removeprefix", "removesuffix"}
    found = []

    def is_piece(node: ast.AST | None) -> bool:
        text = node.value if isinstance(node, ast.Constant) else None
        is_text = isinstance(text, str) and re.search(r"[a-z]+ [a-z]+", text)
        return bool(is_text) and any(text in sentence for sentence in english)

    for path, tree in catalogue.sources():
        for node in catalogue.nodes(tree):
            pieces: list[ast.AST | None] = []
            if isinstance(node, ast.Compare):
                pieces = [node.left, *node.comparators]
            elif isinstance(node, ast.Call) and catalogue._called(node) in looks:
                pieces = list(node.args)
            elif isinstance(node, ast.Dict):
                pieces = list(node.keys)
            found += [(path, ast.unparse(p)) for p in pieces if p is not None and is_piece(p)]
    assert found == []


# -- a message


def test_english_for_programs_and_the_language_in_use_for_people():
    said = Message(
        "turned", "Faces stand upright only after turning the picture by {angle} degrees."
    )
    said = Message(said.code, said.template, {"angle": 90})
    assert str(said) == "Faces stand upright only after turning the picture by 90 degrees."
    assert said.text() == str(said) == f"{said}"
    _i18n.set_language("nl")
    assert "90 graden" in said.text()
    assert str(said) == "Faces stand upright only after turning the picture by 90 degrees."


@pytest.mark.parametrize(
    ("value", "spec", "english", "dutch"),
    [
        (41.04, ":.1f", "41.0", "41,0"),
        (-0.5, ":g", "-0.5", "−0,5"),
        (1234567, ":,d", "1,234,567", "1.234.567"),
        (0.256, ":.0%", "26%", "26 %"),
        (Typeset(-0.256), ":.1%", "−25.6 %", "−25,6 %"),
        (1e-7, ":.1e", "1.0e-07", "1,0e−07"),
        (7, "", "7", "7"),
        ("a.mp4", "", "a.mp4", "a.mp4"),
        ("1.5 x", ":.1f", "1.5 x", "1.5 x"),  # a text is data, also where a number was expected
        (np.float32(0.5), ":.2f", "0.50", "0,50"),
        (np.int64(3), "", "3", "3"),
    ],
)
def test_numbers_are_written_as_the_language_writes_them(value, spec, english, dutch):
    said = Message("", f"({{x{spec}}})", {"x": value})
    assert str(said) == f"({english})"
    assert said.text() == f"({english})"
    _i18n.set_language("nl")
    assert said.text() == f"({dutch})"
    assert str(said) == f"({english})"


def test_a_message_within_a_message_is_translated_too():
    said = Message(
        "no_identity",
        "Persons are not grouped across cuts: {why}",
        {"why": ToolkitError("a model file is missing", "x.onnx", "Check the path.").message},
    )
    assert str(said).endswith("across cuts: a model file is missing: x.onnx. Check the path.")
    _i18n.set_language("nl")
    assert said.text().endswith("een modelbestand ontbreekt: x.onnx. Controleer het pad.")


def test_what_is_data_is_never_a_template_nor_translated():
    _i18n.set_language("nl")
    error = UsageError("unknown region", "mouth {low}", "Use {low} to {high}.", low=0, high=1)
    assert error.text() == "onbekend gebied: mouth {low}. Gebruik 0 tot 1."
    assert VideoError("the file is empty", "background").text().endswith(": background")


@pytest.mark.parametrize(
    "template",
    [
        "{x.__class__}",
        "{x[0]}",
        "{x:>99999999999}",
        "{y}",
        "{",
        "}",
        "{x!z}",
        "{}",
        "{x:r}",
        "{x:.99999}",
    ],
)
@pytest.mark.parametrize("language", ["en", "nl"])
def test_a_template_of_a_stranger_does_no_harm(template, language):
    # templates come back from files of a case
    _i18n.set_language(language)
    assert Message("", template, {"x": 1.5}).text() == template


@given(st.text(), st.floats(allow_nan=False) | st.integers() | st.text())
def test_no_message_fails_to_be_said(template, value):
    said = Message("", template, {"x": value})
    assert isinstance(str(said), str)
    assert isinstance(said.text(), str)


def test_a_text_without_values_is_shown_to_the_letter():
    assert str(Message("", "a file {x}.mp4 and a }")) == "a file {x}.mp4 and a }"
    assert Message("", "").text() == ""  # the empty text is the head of a catalogue


def test_messages_in_a_row():
    row = joined([phrase("{n} of {total}", n=1, total=2), "a; b"], ", ")
    assert str(row) == "1 of 2, a; b"
    _i18n.set_language("nl")
    assert text_of(row) == "1 van 2, a; b"
    assert text_of("nose") == "nose"


# -- notices, reasons, trust figures


def test_stored_and_read_again_a_message_is_the_same():
    inner = phrase("{n} of {total}", n=1, total=2)
    said = Message("drift", "Differs: {why} {value:.2g}", {"why": inner, "value": 0.25})
    assert Message.from_plain(json.loads(json.dumps(said.to_plain()))) == said
    notice = Notice("drift", "Differs: {why}", 2.5, {"why": inner})
    packed = pack([notice])
    again = unpack(list[Notice], Packed(json.loads(json.dumps(packed.plain)), packed.arrays))
    assert again == [notice]
    assert again[0].message.values["why"] == inner
    assert len({notice, again[0]}) == 1


def test_what_earlier_versions_stored_is_read_and_stays_english():
    old = {"code": "cut", "text": "The picture changes as at a {cut}.", "at_s": 3}
    (notice,) = unpack(list[Notice], Packed([old], {}))
    assert notice.code == "cut"
    assert notice.at_s == 3.0
    assert str(notice) == notice.text() == "The picture changes as at a {cut}."
    stored = {"logit": None, "threshold": 0.5, "abstained": True}
    stored |= {"reason": "There is no face in the 9 frames looked at.", "reason_code": "no_face"}
    verdict = unpack(Verdict, Packed(stored, {}))
    assert verdict.reason == Message("no_face", "There is no face in the 9 frames looked at.")
    assert verdict.reason_code == "no_face"


@pytest.mark.parametrize(
    "plain",
    [7, None, [], {"template": "x"}, {"code": "", "template": "", "values": 3}]
    + [{"code": "", "template": "{x}", "values": {"x": x}} for x in (None, [], True, {})],
)
def test_what_is_no_message_is_refused(plain):
    with pytest.raises((ValueError, LookupError)):
        Message.from_plain(plain)


def test_a_verdict_takes_its_code_from_its_reason():
    reason = Message("face_too_small", "The face is too small.")
    assert Verdict(None, 0.5, abstained=True, reason=reason).reason_code == "face_too_small"
    assert Verdict(None, 0.5, reason_code="x").reason_code == "x"


def test_a_trust_figure_says_the_same_as_its_message():
    text = "The reference has logit {value:.2f}, below the threshold, as it should be."
    figure = TrustFigure("reference_v1", -1.25, True, text, {"value": -1.25})
    assert figure.sentence == str(figure.message)
    assert "logit −1.25," in figure.sentence
    _i18n.set_language("nl")
    assert "−1,25" in figure.sentence
    assert figure.message.code == "reference_v1"


# -- errors


def every_error() -> list[type[ToolkitError]]:

    found, todo = [], [ToolkitError]
    while todo:
        kind = todo.pop()
        found.append(kind)
        todo += kind.__subclasses__()
    return [kind for kind in found if kind is not Cancelled and kind.__module__.startswith("tool")]


ARGUMENTS = ("a setting is out of range", phrase("frame {index}", index=7), "Use {low} to {high}.")


def make(kind: type[ToolkitError]) -> ToolkitError:
    return kind(*ARGUMENTS, low=0, high=0.5)


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
def test_every_error_crosses_a_process_boundary(kind):
    error = pickle.loads(pickle.dumps(make(kind)))
    assert type(error) is kind
    assert str(error) == "a setting is out of range: frame 7. Use 0 to 0.5."
    assert (error.cause, error.value) == ("a setting is out of range", "frame 7")
    assert error.remedy == "Use 0 to 0.5."
    _i18n.set_language("nl")
    assert error.text() == "een instelling ligt buiten het bereik: beeld 7. Gebruik 0 tot 0,5."


def _raise(kind):
    raise make(kind)


def test_an_error_of_another_process_is_said_in_the_language_of_this_one():
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        for kind in (VideoError, FetchError, BusyError, UnknownNameError):
            with pytest.raises(kind, match=r"frame 7\. Use 0 to 0\.5\.") as caught:
                pool.submit(_raise, kind).result()
            _i18n.set_language("nl")
            assert "beeld 7" in caught.value.text()
            _i18n.set_language("en")


def test_what_the_decoder_process_refuses_is_said_in_dutch(tmp_path):
    path = tmp_path / "x.mp4"
    path.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 40)
    with pytest.raises(VideoError) as caught:
        media.probe(path)
    english = str(caught.value)
    _i18n.set_language("nl")
    dutch = caught.value.text()
    assert str(caught.value) == english
    for part in caught.value.parts[::2]:
        assert part.text() != str(part), "not in the catalogue"
    assert "x.mp4" in dutch
    assert english != dutch


def test_an_unknown_name_carries_the_known_ones():
    error = UnknownNameError("unknown region", "ear", "Choose from {known}.", known=("mouth", "a"))
    assert error.known == ("mouth", "a")
    assert str(error) == "unknown region: ear. Choose from mouth, a."
    assert isinstance(error, UsageError)
    assert isinstance(error, LookupError)
    assert isinstance(OutOfRangeError("x"), UsageError)
    again = pickle.loads(pickle.dumps(error))
    assert again.known == error.known


def test_the_old_way_of_raising_still_says_what_it_said():
    number = 9
    error = UsageError("the strength is out of range", f"{number}", f"Use 0 to {number}.")
    assert str(error) == "the strength is out of range: 9. Use 0 to 9."
    _i18n.set_language("nl")
    assert error.text() == "de sterkte ligt buiten het bereik: 9. Use 0 to 9."


def test_parts_that_are_empty_leave_no_mark():
    assert str(ToolkitError("x")) == "x"
    assert str(ToolkitError("x", "", "Do it.")) == "x. Do it."
    assert str(ToolkitError("x", "y")) == "x: y"
    assert str(Cancelled()) == "cancelled"


# -- the command line


@pytest.mark.parametrize(
    ("arguments", "language", "said"),
    [
        (["--language", "nl"], "", "geweigerd: dit bestand bestaat niet"),
        ([], "nl", "geweigerd: dit bestand bestaat niet"),
        ([], "", "refused: there is no such file"),
        (["--language", "en"], "nl", "refused: there is no such file"),
    ],
)
@pytest.mark.parametrize("place", ["before", "after"])
def test_the_command_line_speaks_the_language_that_is_asked_for(
    tmp_path, monkeypatch, arguments, language, said, place
):
    monkeypatch.setenv("DOORZICHT_LANGUAGE", language or "en")
    command = ["plant", str(tmp_path / "none.mp4"), "--out", str(tmp_path / "out.mp4")]
    command += ["--regions", "mouth", "--from", "0", "--to", "1"]
    whole = [*arguments, *command] if place == "before" else [*command, *arguments]
    run = subprocess.run(
        [sys.executable, "-m", "toolkit", *whole], capture_output=True, text=True, check=False
    )
    assert run.returncode == 3
    assert run.stderr.startswith(said), run.stderr
