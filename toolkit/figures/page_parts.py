"""What the pages of a report share: the document, its look, lists, tables and charts.

Texts are escaped here, once. Nothing in a page comes from elsewhere, and its content security
policy forbids what is not in the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from toolkit import _i18n, figures
from toolkit._i18n import _
from toolkit.figures.charts import Table

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)

STYLE = """
:root { color-scheme: light dark; --ink: #1f2933; --soft: #4a5560; --page: #ffffff;
  --panel: #f3f5f7; --line: #c3cad1; --for: #a04308; --against: #1d5a96; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ecf0; --soft: #b6bfc8; --page: #15191d;
  --panel: #20262c; --line: #47515b; --for: #ffb066; --against: #8cc1f0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 60rem; background: var(--page);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.2rem; margin-top: 2rem; }
h3 { font-size: 1rem; margin-bottom: .25rem; }
.verdict { padding: .75rem 1rem; background: var(--panel); border-left: .4rem solid var(--line);
  font-size: 1.15rem; }
.verdict.forged { border-color: var(--for); } .verdict.not-forged { border-color: var(--against); }
.note { color: var(--soft); font-size: .9rem; }
.scroll { overflow-x: auto; } .scroll:focus-visible, summary:focus-visible {
  outline: 2px solid var(--against); outline-offset: 2px; }
.scroll svg { display: block; width: 100%; min-width: 36rem; height: auto; }
.scroll svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
.scroll .axis { stroke: var(--line); } .scroll .ink { stroke: var(--ink); fill: none; }
.scroll .for { fill: var(--for); } .scroll .against { fill: var(--against); }
.scroll .shade { fill: var(--for); opacity: .18; }
.strip { display: flex; flex-wrap: wrap; gap: 1rem; } .strip figure { margin: 0; width: 17rem; }
.strip img { width: calc(50% - .2rem); height: auto; vertical-align: top; }
.strip .comparison img { filter: grayscale(1); opacity: .8; }
figcaption { font-size: .9rem; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .15rem .6rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child { text-align: left; } thead th { vertical-align: bottom; }
dl { display: grid; grid-template-columns: minmax(9rem, max-content) 1fr; gap: .2rem 1rem; }
dt { color: var(--soft); } dd { margin: 0; }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .4rem; } }
@media print { body { max-width: none; padding: 0; } .scroll svg { min-width: 0; }
  figure, svg, .verdict { break-inside: avoid; } h2, h3 { break-after: avoid; } }
html { --dz-answer-panel: var(--panel); }
"""
STYLE += figures.ANSWER_STYLE


@contextmanager
def speaking(code: str) -> Iterator[None]:
    """Speak a language within a block."""
    before = _i18n.language()
    _i18n.set_language(code)
    try:
        yield
    finally:
        _i18n.set_language(before)


def document(
    title: str, body: str, *, policy: str = POLICY, style: str = STYLE, after: str = ""
) -> str:
    """Return a whole document in the language in use.

    Parameters
    ----------
    title
        Plain text.
    body, after
        HTML within and behind the main part.
    policy, style
        Content security policy and style sheet.
    """
    return (
        f'<!doctype html>\n<html lang="{_i18n.language()}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{escape(title)}</title><style>{style}</style></head>\n<body><main>"
        f"{body}</main>{after}</body></html>\n"
    )


def items(lines: Iterable[str]) -> str:
    """Return a list."""
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def definitions(pairs: Iterable[tuple[str, Any]]) -> str:
    """Return labels and values."""
    rows = "".join(f"<dt>{escape(k)}</dt><dd>{escape(str(v))}</dd>" for k, v in pairs)
    return f"<dl>{rows}</dl>"


def table(shown: Table) -> str:
    """Return a table that scrolls by itself where it is too wide."""
    heads = "".join(f'<th scope="col">{escape(head)}</th>' for head in shown.heads)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in shown.rows
    )
    return scrolling(
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>", shown.caption
    )


def scrolling(content: str, label: str) -> str:
    """Return HTML in a frame that scrolls sideways, and can be reached by keyboard."""
    name = escape(label)
    return f'<div class="scroll" role="group" tabindex="0" aria-label="{name}">{content}</div>'


def folded(content: str, summary: str | None = None) -> str:
    """Return HTML that is shown on a click."""
    name = escape(summary or _("The same in numbers"))
    return f"<details><summary>{name}</summary>{content}</details>"
