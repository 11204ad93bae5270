"""The models that a training can begin with: the list "Start from". No torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from slicer.i18n import tr as _

from DiffusionCore.mrml.panels.training.models import ModelRow
from DiffusionCore.mrml.panels.training.recipes import Recipe


def beginnings(recipe: Recipe | None, rows: Sequence[ModelRow]) -> list[tuple[str, str]]:
    """Return (what the core calls it, text) for those models among ``rows`` that ``recipe`` can begin with.

    The first is "", nothing: the weights are random.
    """
    fitting = [row for row in rows if recipe is not None and row.kind in recipe.begins]
    return [("", _("Nothing")), *((_name(row), _text(row)) for row in fitting)]


def _name(row: ModelRow) -> str:
    return row.name if row.in_use else str(Path(row.path).absolute())


def _text(row: ModelRow) -> str:
    return f"{row.name} ({row.where.lower()})"
