"""The list of models: those in use, and those that were trained in a folder and could be. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from DiffusionCore.mrml.panels.training.recipes import purpose_of

_MOST = 200  # trainings in a folder that are looked at


@dataclass(frozen=True)
class ModelRow:
    """One row of the table.

    Attributes:
        name, purpose, checked, size, where: what its columns say.
        results: what else there is to be said of ``checked``.
        kind: of its weights.
        path: they.
        card: what is known of the model (DiffusionCore.models.ModelCard).
        in_use: it is among the models already.
        shipped: it came with the extension.
    """

    name: str
    purpose: str
    checked: str
    size: str
    where: str
    results: str
    kind: str
    path: Path
    card: Any
    in_use: bool
    shipped: bool


def model_rows(folder: Path | None) -> list[ModelRow]:
    """Return the trainings in ``folder`` that have weights and are not in use as they are, then the models in use."""
    from DiffusionCore.models import list_models

    cards = list_models()
    in_use = {_identity(card) for card in cards}
    trained = [] if folder is None else [card for card in _trained(folder) if _identity(card) not in in_use]
    return [*(_row(card, in_use=False) for card in trained), *(_row(card, in_use=True) for card in cards)]


def card_text(card: Any) -> str:
    """Return what ``card`` tells of a model, as lines."""
    results = "; ".join(f"{name}: {value}" if name else value for name, value in card.results)
    told = [
        (_("License"), card.license),
        (_("Learned from"), card.data),
        (_("Steps"), card.steps),
        (_("Time"), card.time),
        (_("Results"), results or _("not stated")),
        (_("File"), str(card.path)),
    ]
    return "\n".join(f"{name}: {text}" for name, text in told)


def _trained(folder: Path) -> list[Any]:
    """Return the cards of the trainings in ``folder``, named after their folders."""
    from dataclasses import replace

    from DiffusionCore.checks import StorageError
    from DiffusionCore.models import read_card
    from DiffusionCore.training.folder import WEIGHTS

    cards = []
    try:
        places = sorted(place for place in folder.iterdir() if (place / WEIGHTS).is_file())
    except OSError:
        return []
    for place in places[:_MOST]:
        try:
            cards.append(replace(read_card(place / WEIGHTS), name=place.name))
        except StorageError:  # half written by another program, or no weights of ours
            continue
    return cards


def _identity(card: Any) -> tuple[str, ...]:
    """Return what two copies of one model share, and a model that was trained further does not."""
    return card.name, card.kind, card.steps, card.seed


def _row(card: Any, *, in_use: bool) -> ModelRow:
    places = {True: _("Shipped"), False: _("Installed")}
    checked, results = _checked(card, in_use)
    return ModelRow(
        name=card.name,
        purpose=purpose_of(card.kind),
        checked=checked,
        size=_size_text(card.path.stat().st_size),
        where=places[card.shipped] if in_use else _("Output folder"),
        results=results,
        kind=card.kind,
        path=card.path,
        card=card,
        in_use=in_use,
        shipped=card.shipped,
    )


def _size_text(count: int) -> str:
    if count < 1e5:
        return _("{size} kB").format(size=count // 1000)
    return _("{size} MB").format(size=f"{count / 1e6:.1f}")


def _checked(card: Any, in_use: bool) -> tuple[str, str]:
    """Return how well a model does in a word, and what more there is: the loss of the best check of a training.

    What was measured of other models is no number, but sentences for the card.
    """
    from DiffusionCore.training.folder import BEST_CHECK

    if not card.results:
        text = _("Not stated") if in_use else _("Not yet")
        return text, text
    name, value = card.results[0]
    if name == BEST_CHECK:
        return _("Loss {loss}").format(loss=value.split(" ")[0]), value
    return _("See card"), _("Select the model: its card below tells what was measured.")
