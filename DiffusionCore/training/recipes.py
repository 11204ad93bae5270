"""All recipes by their names, and how ``key=value`` changes one.

Names are RECIPE, the full one, or PRESET-RECIPE: "smoke" takes less than a minute on a CPU and shows that all of it
works, "small" is for a CPU, "published" is as it was published.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.config import from_dict, to_dict
from DiffusionCore.training.changes import make_change
from DiffusionCore.training.entry import IMAGES, THEIRS
from DiffusionCore.training.recipe import Recipe
from DiffusionCore.training.registration_recipes import REGISTRATION
from DiffusionCore.training.settings import LoopSettings
from DiffusionCore.training.synthesis_recipes import SYNTHESIS

RECIPES = REGISTRATION | SYNTHESIS


def configure(name: str, changes: Sequence[str]) -> tuple[Recipe, LoopSettings, dict[str, Any]]:
    """Return the recipe ``name``, the settings of the loop and the card, with ``changes`` ("key=value") made.

    A key is a field of the recipe's configuration (``network.size`` for one inside another) or of LoopSettings.

    Raises:
        DiffusionCoreError: an unknown recipe, key or value; the text lists what exists.
    """
    if name not in RECIPES:
        raise DiffusionCoreError(f"There is no recipe '{name}'; known: {', '.join(RECIPES)}.")
    entry = RECIPES[name]
    config, settings = to_dict(entry.config), to_dict(entry.settings)
    for change in changes:
        make_change(change, config, settings)
    loop = from_dict(LoopSettings, settings)
    own = config.get("data") and not entry.needs_data  # the user's cases in place of synthetic objects
    card = {"data": IMAGES if own else entry.data, "license": THEIRS if own else entry.license}
    return entry.recipe(from_dict(type(entry.config), config), seed=loop.seed), loop, card
