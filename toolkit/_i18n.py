"""Dutch and English: gettext with the English text as key."""

from __future__ import annotations

import gettext as _gettext
import os
from pathlib import Path

LANGUAGES = ("en", "nl")
_LOCALE = Path(__file__).with_name("locale")
_current = "en"
_catalogue: _gettext.NullTranslations = _gettext.NullTranslations()


def set_language(code: str) -> str:
    """Choose the language of what users read; an unknown one falls back to English.

    Returns
    -------
    str
        The language now in use.
    """
    global _catalogue, _current  # noqa: PLW0603 - one process speaks one language
    _current = code if code in LANGUAGES else "en"
    _catalogue = _gettext.translation("toolkit", _LOCALE, languages=[_current], fallback=True)
    return _current


def language() -> str:
    """Return the code of the language in use."""
    return _current


def _(text: str) -> str:
    return _catalogue.gettext(text)


def N_(text: str) -> str:  # noqa: N802 - gettext's name for "collect, translate later"
    """Mark a text for the catalogue."""
    return text


def ngettext(singular: str, plural: str, n: int) -> str:
    """Return the form that fits `n`, translated."""
    return _catalogue.ngettext(singular, plural, n)


set_language(os.environ.get("DOORZICHT_LANGUAGE", "en"))
