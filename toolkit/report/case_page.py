"""A case's report as one HTML file: read without a script, played with one, no network either way.

The script is the player and nothing else; the content security policy names its hash.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from html import escape
from typing import Any

from toolkit import player
from toolkit._i18n import _
from toolkit.figures import page_parts
from toolkit.player import Scene
from toolkit.report.sections import (
    Block,
    Facts,
    Figure,
    Grid,
    Items,
    Play,
    Section,
    Strip,
    Text,
    Told,
)

_STYLE = """
.warning { border: 1px solid var(--for); border-left-width: .4rem; padding: .5rem .75rem; }
.lines { white-space: pre-line; } dd, td { white-space: pre-line; }
section > figure { margin: 1rem 0; } .strip figure { width: 27rem; } .strip img { width: 100%; }
.drawn svg { display: block; width: 100%; max-width: 45rem; height: auto; }
nav a { color: var(--against); } nav ul { columns: 2 18rem; }
td:not(:first-child) { text-align: left; }
"""

# As in `playable`, for any number of players in one page.
_START = """
for (const el of document.querySelectorAll('[data-scene]')) {
  const read = (kind) => document.getElementById(`${kind}-${el.dataset.scene}`).textContent;
  const bytes = (kind) => Uint8Array.from(atob(read(kind)), (c) => c.charCodeAt(0));
  const values = JSON.parse(read('state'));
  values.scenes = [{ facts: values.scenes[0], data: bytes('data'), video: bytes('video') }];
  render({ model: standIn(values), el });
}
"""


def page(told: Told, scenes: Mapping[str, Scene]) -> str:
    """Return the document, in the language in use.

    Parameters
    ----------
    told
        The tree.
    scenes
        What is played, by exhibit: covered already.
    """
    contents = "".join(
        f'<li><a href="#{escape(s.ident)}">{n}. {escape(s.title)}</a></li>'
        for n, s in enumerate(told.sections, 1)
    )
    written = [_section(s, scenes, f"{n}. ", 2) for n, s in enumerate(told.sections, 1)]
    body = [
        f"<h1>{escape(told.title)}</h1>",
        *written[: told.opening],  # the answer before the list of what else there is
        f'<nav aria-label="{escape(_("Contents"))}"><ul>{contents}</ul></nav>',
        *written[told.opening :],
    ]
    if not scenes:
        return page_parts.document(told.title, "\n".join(body), style=page_parts.STYLE + _STYLE)
    script = player.source() + player.STAND_IN + _START
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"{page_parts.POLICY}; script-src 'sha256-{digest}'; media-src blob:"
    blocks = [_data(name, scene) for name, scene in scenes.items()]
    return page_parts.document(
        told.title,
        "\n".join(body),
        policy=policy,
        style=page_parts.STYLE + player.style() + _STYLE,
        after="\n".join([*blocks, f'<script type="module">{script}</script>']),
    )


def _section(section: Section, scenes: Mapping[str, Scene], number: str, level: int) -> str:
    marks = "".join(f'<span id="point-{p}"></span>' for p in section.points)
    blocks = "".join(_block(block, scenes) for block in section.blocks)
    below = "".join(_section(s, scenes, "", level + 1) for s in section.parts)
    return (
        f'<section id="{escape(section.ident)}">{marks}'
        f"<h{level}>{number}{escape(section.title)}</h{level}>{blocks}{below}</section>\n"
    )


def _block(block: Block, scenes: Mapping[str, Scene]) -> str:
    match block:
        case Text(text, "verdict", mark):
            kind = {"▲": "forged", "●": "not-forged"}.get(mark, "none")
            sign = f'<span aria-hidden="true">{escape(mark)}</span> '
            return f'<p class="verdict {kind}">{sign}{escape(text)}</p>'
        case Text(text, kind, _mark):
            return f'<p class="{kind} lines">{escape(text)}</p>'
        case Items(lines):
            return page_parts.items(lines)
        case Facts(pairs):
            return page_parts.definitions(pairs)
        case Grid(table, is_long):
            if is_long:
                return page_parts.folded(page_parts.table(table), table.caption)
            return f'<p class="note">{escape(table.caption)}</p>{page_parts.table(table)}'
        case Figure():
            return _figure(block)
        case Strip(shown):
            return f'<div class="strip">{"".join(map(_figure, shown))}</div>'
        case Play(exhibit, instead):
            if exhibit not in scenes:
                return f'<p class="note">{escape(instead)}</p>'
            return f'<div data-scene="{escape(exhibit)}"></div>'


def _figure(figure: Figure) -> str:
    caption = f"<figcaption>{escape(figure.caption)}</figcaption>"
    if figure.name.endswith(".svg"):
        svg = figure.data.decode()
        is_drawn = figure.is_styled  # it brings its own white ground, also in the dark
        svg = (
            f'<div class="drawn">{svg}</div>'
            if is_drawn
            else page_parts.scrolling(svg, figure.caption)
        )
        return f"<figure>{svg}{caption}</figure>"
    address = "data:image/png;base64," + base64.b64encode(figure.data).decode()
    return f'<figure><img src="{address}" alt="{escape(figure.alt)}">{caption}</figure>'


def _data(exhibit: str, scene: Scene) -> str:
    """Return what a player reads: its state, its arrays and its video."""
    state: dict[str, Any] = {
        "scenes": [scene.facts],
        "strings": [scene.strings()],
        "frame": 0,
        "person": scene.report.speaks or "",
        "region": "",
        "offset_s": 0.0,
    }
    text = json.dumps(state, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    blocks = [f'<script type="application/json" id="state-{escape(exhibit)}">{text}</script>']
    for name, raw in (("data", scene.data), ("video", scene.video)):
        inside = base64.b64encode(raw).decode()
        blocks.append(f'<script type="text/plain" id="{name}-{escape(exhibit)}">{inside}</script>')
    return "\n".join(blocks)
