"""From the command line to the settings of a method."""

from __future__ import annotations

import argparse
from typing import Any

from DiffusionCore.affine.polish import PolishSettings
from DiffusionCore.affine.published import KIND
from DiffusionCore.checks import CheckpointError, ConfigError
from DiffusionCore.diffusion.reverse import Graded
from DiffusionCore.models import list_models
from DiffusionCore.registration import AffineSettings, PublishedSettings, Settings
from DiffusionCore.transforms.affine import Group


def settings_from(options: argparse.Namespace) -> Settings:
    """Return the settings that ``options`` (see ``add_run_arguments``) ask for; their type is the method.

    Raises:
        CheckpointError: the method needs a model, and none was named.
        ConfigError: an option that the method does not have.
    """
    return {"affine": _affine, "published-affine": _published}[options.method](options)


def _affine(options: argparse.Namespace) -> AffineSettings:
    changes: dict[str, Any] = {"polish": PolishSettings(group=Group[options.group.upper()])}
    if options.steps is not None:
        changes["fractions"] = Graded.spread(options.steps).values
    if options.model is not None:
        changes["model"] = None if options.model == "none" else options.model
    return AffineSettings(**changes)


def _published(options: argparse.Namespace) -> PublishedSettings:
    if options.group != "affine":
        raise ConfigError(
            f"--group {options.group} belongs to --method affine: here the model decides which transforms are made. "
            "Leave it out."
        )
    if options.model in (None, "none"):
        names = [card.name for card in list_models() if card.kind == KIND]
        raise CheckpointError(
            f"--method published-affine needs --model NAME|PATH. Models of this kind: {', '.join(names) or 'none'}. "
            "To train one: python -m DiffusionCore train published-affine --output runs/published-affine, then "
            "--model runs/published-affine/weights.safetensors."
        )
    return PublishedSettings(options.model, count=options.steps)
