"""The Dutch is complete, fits the English, and is the one that is shipped."""

from __future__ import annotations

import ast
import io
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po

from tests.sources import modules
from toolkit import _i18n

PACKAGE = Path(__file__).resolve().parents[1] / "toolkit"
LOCALE = PACKAGE / "locale"
PO = LOCALE / "nl" / "LC_MESSAGES" / "toolkit.po"


def catalogue(path):
    with path.open("rb") as file:
        return read_po(file)


def said_in_source() -> set[str]:
    """Return every text that is translated somewhere in the package."""
    found = set()
    for path in modules(PACKAGE):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in {"_", "N_", "ngettext"}
                and isinstance(node.args[0], ast.Constant)
            ):
                found.add(node.args[0].value)
    return found


def key(message):
    return message.id if isinstance(message.id, str) else message.id[0]


@pytest.fixture(scope="module")
def dutch():
    return [m for m in catalogue(PO) if m.id]


def test_the_catalogue_holds_what_the_source_says(dutch):
    said = said_in_source()
    assert len(said) > 100
    assert {key(m) for m in dutch} == said
    assert {key(m) for m in catalogue(LOCALE / "toolkit.pot") if m.id} == said


def test_every_text_has_dutch(dutch):
    for message in dutch:
        texts = [message.string] if isinstance(message.string, str) else message.string
        assert all(texts), message.id
        assert not message.fuzzy, message.id


def test_placeholders_match(dutch):
    def names(text):
        return sorted(name for _, name, _, _ in Formatter().parse(text) if name is not None)

    for message in dutch:
        english = [message.id] if isinstance(message.id, str) else message.id
        translated = [message.string] if isinstance(message.string, str) else message.string
        for text in translated:
            assert names(text) == names(english[-1]), message.id


def test_sentences_end_alike(dutch):
    for message in dutch:
        if isinstance(message.id, str):
            for mark in (".", ":", "…", "?"):
                assert message.id.endswith(mark) == message.string.endswith(mark), message.id


def test_the_compiled_catalogue_is_up_to_date():
    with PO.with_suffix(".mo").open("rb") as file:
        shipped = read_mo(file)
    fresh = io.BytesIO()
    write_mo(fresh, catalogue(PO))
    fresh.seek(0)
    wanted = read_mo(fresh)
    assert {key(m): m.string for m in shipped if m.id} == {key(m): m.string for m in wanted if m.id}


def test_languages():
    assert _i18n.set_language("nl") == "nl"
    assert _i18n._("mouth") == "mond"
    assert _i18n.ngettext("{n} cut, at {times}.", "{n} cuts, at {times}.", 2).startswith(
        "{n} beeldw"
    )
    assert _i18n.set_language("xx") == "en"
    assert _i18n._("mouth") == "mouth"
