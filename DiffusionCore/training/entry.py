"""A row of the tables of recipes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from DiffusionCore.training.settings import LoopSettings

HEADS = "synthetic heads and brains: smooth random deformations and random contrasts of the ICBM 2009 tissue maps"
SHAPES = "random shapes, bumpy ellipsoids that smooth regions divide"
FOLDS = "folds of the cortex that differ between the two images"
IMAGES, THEIRS = "images of the user's own folder", "that of the images"
TRIAL = "in less than a minute: to see that all of it works"

# the loop of a "smoke" preset
SMOKE = LoopSettings(
    steps=60, learning_rate=2e-3, warm_up=10, clip=1.0, average=0.95, log_every=10, validate_every=30, save_every=30
)


@dataclass(frozen=True)
class Entry:
    """A recipe by its class, the defaults of its configuration and of the loop, and its card: data and terms of use.

    Attributes:
        about: what comes out of it, in a line.
    """

    recipe: type
    config: Any
    settings: LoopSettings
    data: str
    license: str = "Apache-2.0"
    about: str = ""

    @property
    def needs_data(self) -> bool:
        """Whether it learns from nothing but images of the user."""
        return self.data == IMAGES

    @property
    def takes_data(self) -> bool:
        """Whether it can learn from images of the user."""
        return any(field.name == "data" for field in fields(self.config))
