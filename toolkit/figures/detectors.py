"""What is known of detectors, in words: the list that command line and notebook show."""

from __future__ import annotations

from typing import Any

from toolkit._i18n import _


def list_detectors() -> list[dict[str, Any]]:
    """Return the detectors that there are: plain values, `facts` in the language in use."""
    from toolkit.detectors import plugins, registry
    from toolkit.detectors.listing import added_names

    found = []
    here, mine = set(registry.available()), set(added_names())
    brought = plugins.find()
    for name in registry.names():
        row: dict[str, Any] = {"name": name, "title": "", "kind": "bundled", "facts": []}
        if name in mine:
            row |= _added_facts(name)
        elif name in brought:
            row |= {
                "kind": "plugin",
                "title": _("plug-in {value}").format(value=brought[name].value),
            }
        elif name not in here:
            row["facts"] = [_("its weights are not here")]
        found.append(row)
    return found


def _added_facts(name: str) -> dict[str, Any]:
    from toolkit.detectors import added
    from toolkit.errors import ModelError

    try:
        recipe = added.read(name)
    except ModelError as error:
        return {"kind": "added", "facts": [error.text()]}
    facts = [
        f"{recipe.route}: {recipe.source}",
        f"{_('licence')}: {recipe.licence or _('not stated')}",
    ]
    facts.append(f"{_('trained on')}: {recipe.training or _('not stated')}")
    if (measured := recipe.measured) is not None:
        text = _("threshold {value:.2f} ({low:.2f} to {high:.2f}), on {n} genuine clips of {date}")
        facts.append(
            text.format(
                value=recipe.threshold,
                low=measured.low,
                high=measured.high,
                n=measured.clips,
                date=measured.date,
            )
        )
    else:
        facts.append(_("threshold not measured on genuine clips"))
    if recipe.is_untested:
        facts.append(_("untested: no pictures with published logits were passed"))
    return {"kind": "added", "title": recipe.title, "facts": facts}


def title_of(name: str) -> str:
    """Return what people call a detector that was added or came with a package."""
    from toolkit.detectors.listing import added_names, added_title

    if name not in added_names():
        return name
    return _("{name} (added: {title})").format(name=name, title=added_title(name) or "?")
