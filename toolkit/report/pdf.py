"""A case's report as PDF/A-2a and PDF/UA-1, set by Typst from the same tree as the HTML.

All text goes in as JSON and is printed literally; the source holds none of it. The compiler sees an
empty folder with the figures, no fonts but its own and no packages, so the same tree gives the same
bytes.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from toolkit import _i18n
from toolkit._i18n import _
from toolkit.errors import ToolkitError
from toolkit.report.sections import (
    Block,
    Facts,
    Figure,
    Grid,
    Items,
    Play,
    ReportTree,
    Section,
    Strip,
    Text,
)

TEMPLATE = Path(__file__).with_name("case.typ")
STANDARDS = ("a-2a", "ua-1")

_PAPER = (
    "<style>text{fill:#1f2933;font-family:'Libertinus Serif';font-size:13px}"
    ".axis{stroke:#c3cad1}.ink{stroke:#1f2933;fill:none}.for{fill:#a04308}.against{fill:#1d5a96}"
    ".shade{fill:#a04308;opacity:.18}</style>"
)
"""What the style sheet of the page does to a chart, for paper."""
_LONG = re.compile(r"\S{28,}")
_BREAK = "\u200b"


class PdfError(ToolkitError, RuntimeError):
    """The PDF could not be set."""


def pdf(told: ReportTree, *, date: str, author: str = "") -> bytes:
    """Set the report, in the language in use.

    Parameters
    ----------
    told
        The tree.
    date
        UTC, as in the log: a PDF/A needs a date, and the clock would change the bytes.
    author
        For the document's metadata.

    Raises
    ------
    PdfError
        If Typst refuses it.
    """
    document: bytes = _compile(
        told, date, author, format="pdf", pdf_standards=list(STANDARDS), timestamp=0
    )
    return document


def pictures(told: ReportTree, *, date: str, ppi: float = 80) -> list[bytes]:
    """Return the pages as PNG, for looking at."""
    pages: Any = _compile(told, date, "", format="png", ppi=ppi)
    return pages if isinstance(pages, list) else [pages]


def _compile(told: ReportTree, date: str, author: str, **how: Any) -> Any:
    import typst

    day = dt.date.fromisoformat(date[:10])
    content = {
        "language": _i18n.language(),
        "title": told.title,
        "author": author,
        "date": [day.year, day.month, day.day],
        "contents": _("Contents"),
        "page": _("page {n} of {all}").format(n="{n}", all="{all}"),
        "contents_at": len(list(_flat(told.sections[: told.opening], 1))),
        "sections": list(_flat(_with_annex(told.sections), 1)),
    }
    with tempfile.TemporaryDirectory() as folder:
        for figure in _figures(told.sections):
            Path(folder, figure.name).write_bytes(_on_paper(figure))
        main = Path(folder, "main.typ")
        main.write_bytes(TEMPLATE.read_bytes())
        try:
            compiler = typst.Compiler(
                main,
                root=folder,
                font_paths=[],
                ignore_system_fonts=True,
                sys_inputs={"data": json.dumps(content, ensure_ascii=False)},
                package_path=folder,
                package_cache_path=folder,
            ).compile(**how)
        except typst.TypstError as error:
            why = getattr(error, "diagnostic", str(error))[:500]
            raise PdfError("the PDF could not be set", why) from error
    assert compiler is not None
    return compiler


def _with_annex(sections: tuple[Section, ...]) -> tuple[Section, ...]:
    """Move long tables to the end: on paper nobody can fold them away."""
    moved: list[Block] = []

    def without(section: Section) -> Section:
        blocks: list[Block] = []
        for block in section.blocks:
            if isinstance(block, Grid) and block.is_long:
                moved.append(
                    dataclasses.replace(
                        block,
                        table=dataclasses.replace(
                            block.table, caption=f"{section.title}: {block.table.caption}"
                        ),
                    )
                )
                text = _("The table “{caption}” stands in the annex.")
                blocks.append(Text(text.format(caption=block.table.caption), "note"))
            else:
                blocks.append(block)
        return dataclasses.replace(
            section, blocks=tuple(blocks), parts=tuple(map(without, section.parts))
        )

    kept = tuple(map(without, sections))
    if not moved:
        return kept
    return (*kept, Section("annex", _("Annex: long tables"), tuple(moved)))


def _figures(sections: tuple[Section, ...]) -> Iterator[Figure]:
    for section in sections:
        for block in section.blocks:
            if isinstance(block, Figure):
                yield block
            elif isinstance(block, Strip):
                yield from block.figures
        yield from _figures(section.parts)


def _on_paper(figure: Figure) -> bytes:
    """Return a figure that needs no page around it."""
    if not figure.name.endswith(".svg"):
        return figure.data
    text = figure.data.decode()
    text = text.replace("system-ui, sans-serif", "Libertinus Serif")
    if "xmlns" not in text.split(">", 1)[0]:
        text = text.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    if not figure.is_styled:
        head, inside = text.split(">", 1)
        text = f"{head}>{_PAPER}{inside}"
    return text.encode()


def _flat(sections: tuple[Section, ...], level: int) -> Iterator[dict[str, Any]]:
    for number, section in enumerate(sections, 1):
        title = _breakable(section.title)
        yield {
            "level": level,
            "title": f"{number}. {title}" if level == 1 else title,  # numbered as on the page
            "blocks": [_block(block) for block in section.blocks],
        }
        yield from _flat(section.parts, level + 1)


def _block(block: Block) -> Mapping[str, Any]:
    match block:
        case Text(text, kind, mark):
            return {"type": "text", "kind": kind, "mark": mark, "text": _breakable(text)}
        case Items(lines):
            return {"type": "items", "lines": [_breakable(line) for line in lines]}
        case Facts(pairs):
            return {"type": "facts", "pairs": [[_breakable(k), _breakable(v)] for k, v in pairs]}
        case Grid(table, is_long):
            printed = dataclasses.replace(
                table,
                caption=_breakable(table.caption),
                rows=tuple(tuple(_breakable(cell) for cell in row) for row in table.rows),
            )
            return {"type": "table", "is_long": is_long, **dataclasses.asdict(printed)}
        case Figure():
            return {
                "type": "figure",
                "file": block.name,
                "alt": block.alt,
                "caption": _breakable(block.caption),
            }
        case Strip(shown):
            return {"type": "strip", "figures": [_block(figure) for figure in shown]}
        case Play(_exhibit, instead):
            return {"type": "text", "kind": "note", "mark": "", "text": instead}


def _breakable(text: str) -> str:
    """Let a long word, such as a hash or an address, run on in the next line."""

    def broken(found: re.Match[str]) -> str:
        word = found.group()
        return _BREAK.join(word[i : i + 8] for i in range(0, len(word), 8))

    return _LONG.sub(broken, text)
