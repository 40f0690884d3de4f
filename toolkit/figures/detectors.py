"""What is known of detectors, in words: the list that command line and notebook show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit._i18n import _

if TYPE_CHECKING:
    from toolkit.detectors.recipe import Measured


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
        elif name in (*registry.MESONETS, *registry.LRNETS):
            row["facts"] = _published_facts(name)
        found.append(row)
    return found


def _published_facts(name: str) -> list[str]:
    """Return what is known of a teaching example: where its threshold comes from, and what it is.

    It is not loaded for the question, so that what was measured is shown whatever the weights.
    """
    from toolkit.detectors import measured, registry
    from toolkit.errors import ModelError

    facts = []
    try:
        own = measured.kept(name)
    except ModelError as error:
        facts.append(error.text())
    else:
        facts.append(_threshold_fact(*((0.0, None) if own is None else own)))
    if name in registry.LRNETS:
        facts.append(_("experimental: it looks at landmarks over time; read many frames"))
    return facts


def _threshold_fact(threshold: float, measured: Measured | None) -> str:
    if measured is None:
        return _("threshold not measured on genuine clips")
    text = _("threshold {value:.2f} ({low:.2f} to {high:.2f}), on {n} genuine clips of {date}")
    return text.format(
        value=threshold,
        low=measured.low,
        high=measured.high,
        n=measured.clips,
        date=measured.date,
    )


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
    facts.append(_threshold_fact(recipe.threshold, recipe.measured))
    if recipe.is_untested:
        facts.append(_("untested: no pictures with published logits were passed"))
    return {"kind": "added", "title": recipe.title, "facts": facts}


def title_of(name: str) -> str:
    """Return what people call a detector that was added or came with a package."""
    from toolkit.detectors.listing import added_names, added_title

    if name not in added_names():
        return name
    return _("{name} (added: {title})").format(name=name, title=added_title(name) or "?")
