"""The pages that the class app shows instead of a notebook."""

from __future__ import annotations

from html import escape

from toolkit import _i18n
from toolkit._i18n import _, ngettext

RETRY_S = 30
"""After how long such a page asks again by itself."""

_STYLE = """
body { font: 18px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; margin: 0; }
main { max-width: 34em; margin: 15vh auto 0; padding: 0 1.5em; }
h1 { font-size: 1.6em; line-height: 1.2; }
a { display: inline-block; padding: .5em 1.2em; border-radius: 4px; background: #1f5fa8;
    color: #fff; text-decoration: none; }
a:focus-visible { outline: 3px solid #e69f00; outline-offset: 2px; }
.note { color: #555; }
"""


def language_of(accepted: str, default: str) -> str:
    """Return the language for a browser: the first that it accepts and there is.

    Parameters
    ----------
    accepted
        Its header ``Accept-Language``.
    default
        Where it accepts none of ours.

    Examples
    --------
    >>> language_of("de-DE,nl;q=0.8,en;q=0.5", "en"), language_of("", "nl")
    ('nl', 'nl')
    """
    codes = (part.split(";")[0].split("-")[0].strip().lower() for part in accepted.split(","))
    return next((code for code in codes if code in _i18n.LANGUAGES), default)


def full(seats: int) -> str:
    """Return the page for whoever comes when all seats are taken."""
    text = ngettext(
        "The {n} place is taken. As soon as somebody closes the page, there is room.",
        "All {n} places are taken. As soon as somebody closes the page, there is room.",
        seats,
    )
    return _page(_("The class is full"), text.format(n=seats))


def too_many_pages(pages: int) -> str:
    """Return the page for a browser that shows the app too often already."""
    text = _("This browser shows the app in {n} tabs already. Close one of them.")
    return _page(_("The app is open already"), text.format(n=pages))


def _page(title: str, text: str) -> str:
    note = _("This page tries again by itself every {n} seconds.").format(n=RETRY_S)
    return (
        f'<!doctype html><html lang="{_i18n.language()}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="refresh" content="{RETRY_S}">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f'<body><main class="dz-full"><h1>{escape(title)}</h1><p>{escape(text)}</p>'
        f'<p><a href="">{escape(_("Try again"))}</a></p>'
        f'<p class="note">{escape(note)}</p></main></body></html>'
    )
