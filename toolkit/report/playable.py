"""One HTML file that plays the analysis: video, maps and charts, without a network or a notebook.

It embeds the player of the notebook itself, the display copy and the arrays; a small stand-in
takes the place of the widget's model. The content security policy names the hash of the one script
in the page: nothing else runs, nothing is fetched.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from toolkit import _i18n, figures, player
from toolkit._i18n import _
from toolkit.figures.page_parts import speaking
from toolkit.files import atomic_write
from toolkit.media import show_name
from toolkit.media.display import DisplayCopy
from toolkit.player import Scene
from toolkit.types import FaceCrops, Report

_POLICY = Template(
    "default-src 'none'; script-src '$script'; style-src 'unsafe-inline'; media-src blob:; "
    "img-src data:; base-uri 'none'; form-action 'none'"
)

_STYLE = """
:root { color-scheme: light dark; --ink: #1f2933; --soft: #4a5560; --page: #ffffff;
  --panel: #f3f5f7; --line: #c3cad1; --for: #a04308; --against: #1d5a96; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ecf0; --soft: #b6bfc8; --page: #15191d;
  --panel: #20262c; --line: #47515b; --for: #ffb066; --against: #8cc1f0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 78rem; background: var(--page);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; line-height: 1.25; } h2 { font-size: 1.1rem; margin-top: 1.5rem; }
html { --dz-answer-panel: var(--panel); }
dl.facts { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .2rem 1rem; }
dl.facts dt { color: var(--soft); } dl.facts dd { margin: 0; }
@media (max-width: 30rem) { body { padding: .5rem; } dl.facts { grid-template-columns: 1fr; } }
"""

# It follows the player's source in one script, so that one hash covers both.
_START = """
const read = (id) => document.getElementById(id).textContent;
const bytes = (id) => Uint8Array.from(atob(read(id)), (c) => c.charCodeAt(0));
const values = JSON.parse(read('state'));
values.scenes = values.scenes.map((facts, i) =>
  ({ facts, data: bytes(`data-${i}`), video: bytes(`video-${i}`) }));
render({ model: standIn(values), el: document.getElementById('player') });
"""

_PAGE = Template(
    """<!doctype html>
<html lang="$lang"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="$policy">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>$title</title><style>$style</style></head>
<body><main><h1>$title</h1>
$body
</main>
$blocks
<script type="module">$script</script></body></html>
"""
)


def write(
    report: Report,
    path: Path | str,
    *,
    display: DisplayCopy,
    crops: Mapping[str, FaceCrops] | None = None,
    language: str | None = None,
) -> Path:
    """Write the page that plays a report.

    Parameters
    ----------
    report
        What to tell. For a case, the redacted one.
    path
        The HTML file; its folder must exist. Complete, or not written at all.
    display
        The copy to embed; for a case, the redacted one.
    crops
        As for `Scene.of`; leave them out with a redacted report.
    language
        Language of the page; None = the one in use.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    OSError
        If the copy cannot be read or the page not be written.
    """
    with speaking(language or _i18n.language()):
        atomic_write(path, page(Scene.of(report, display, crops=crops)))
    return Path(path)


def page(*scenes: Scene) -> str:
    """Return the document for one scene, or for two side by side, in the language in use."""
    first = scenes[0].report
    script = player.source() + player.STAND_IN + _START
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return _PAGE.substitute(
        lang=_i18n.language(),
        policy=escape(_POLICY.substitute(script=f"sha256-{digest}"), quote=True),
        title=escape(figures.title(first)),
        style=_STYLE + figures.ANSWER_STYLE + player.style(),
        body="\n".join(
            [figures.answer_html(first), '<div id="player"></div>', _words(first), _facts(first)]
        ),
        blocks=_blocks(scenes),
        script=script,
    )


def _blocks(scenes: tuple[Scene, ...]) -> str:
    state = {
        "scenes": [scene.facts for scene in scenes],
        "strings": [scene.strings() for scene in scenes],
        "frame": 0,
        "person": scenes[0].report.speaks or "",
        "region": "",
        "offset_s": 0.0,
    }
    blocks = [f'<script type="application/json" id="state">{_json(state)}</script>']
    for i, scene in enumerate(scenes):
        for name, raw in (("data", scene.data), ("video", scene.video)):
            text = base64.b64encode(raw).decode()
            blocks.append(f'<script type="text/plain" id="{name}-{i}">{text}</script>')
    return "\n".join(blocks)


def _json(value: Any) -> str:
    """Return JSON that cannot end the script element it stands in."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")


def _words(report: Report) -> str:
    sentences = [figures.picture_guide(), figures.reading_guide()]
    sections = [(_("How to read this"), sentences)]
    sections.append((_("What could not be judged, and notes"), figures.not_judged(report)))
    sections.append((_("What this does not say"), figures.limits(report)))
    return "".join(
        f"<section><h2>{escape(heading)}</h2><ul>"
        + "".join(f"<li>{escape(line)}</li>" for line in lines)
        + "</ul></section>"
        for heading, lines in sections
        if lines
    )


def _facts(report: Report) -> str:
    video, detector = report.video, report.settings.get("detector", {})
    pairs = [
        (_("name"), show_name(video.path)),
        (_("SHA-256 of the original"), video.sha256),
        (_("length"), figures.clock(video.duration_s, 2)),
        (_("frames in the file"), str(len(video.pts))),
        (_("detector"), str(detector.get("name", "–"))),
        (_("SHA-256 of its weights"), str(detector.get("weights_sha256", "–"))),
        ("Doorzicht", str(report.settings.get("toolkit", "–"))),
        (_("seed"), str(report.settings.get("seed", "–"))),
    ]
    rows = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in pairs)
    heading = _("The file and how it was judged")
    return f'<section><h2>{escape(heading)}</h2><dl class="facts">{rows}</dl></section>'
