"""From the command line to the settings of a method."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

from DiffusionCore.affine.polish import PolishSettings
from DiffusionCore.checks import CheckpointError, ConfigError
from DiffusionCore.commands import guidance
from DiffusionCore.deformable.learned import LearnedSettings
from DiffusionCore.deformable.measures import MEASURES
from DiffusionCore.deformable.sampled import KIND as SAMPLED
from DiffusionCore.deformable.sampled import SampledSettings
from DiffusionCore.deformable.settings import Preset, RefinementSettings
from DiffusionCore.diffusion.reverse import Graded
from DiffusionCore.models import find_model, list_models, read_card
from DiffusionCore.registration import (
    AffineSettings,
    DeformableSettings,
    PublishedDiffuseRegSettings,
    PublishedSettings,
    Settings,
)
from DiffusionCore.transforms.affine import Group

_OWNERS = (
    (("preset", "divergence", "spacing", "measure", "learned", "samples"), ("deformable",)),
    (("patience", *guidance.OPTIONS), ("deformable", "published-diffusereg")),
)


def settings_from(options: argparse.Namespace) -> Settings:
    """Return the settings that ``options`` (see ``add_run_arguments``) ask for; their type is the method.

    Raises:
        CheckpointError: the method needs a model, and none was named.
        ConfigError: an option that the method does not have, or a number out of its range.
    """
    method = method_of(options)
    for names, owners in _OWNERS:
        for name in names:
            if method not in owners and getattr(options, name, None) is not None:
                flag, methods = name.replace("_", "-"), " or ".join(owners)
                raise ConfigError(f"--{flag} belongs to --method {methods}. Add that, or leave it out.")
    makers = {
        "affine": _affine,
        "deformable": _deformable,
        "published-affine": _published,
        "published-diffusereg": _published_diffusereg,
    }
    return makers[method](options)


def method_of(options: argparse.Namespace) -> str:
    """Return the method that was named; else "deformable", or "affine" where a group of maps was named."""
    return options.method or ("deformable" if options.group is None else "affine")


def _affine(options: argparse.Namespace) -> AffineSettings:
    changes: dict[str, Any] = {"polish": _polish(options)}
    if options.steps is not None:
        changes["fractions"] = Graded.spread(options.steps).values
    if options.model is not None:
        changes["model"] = None if options.model == "none" else options.model
    return AffineSettings(**changes)


def _deformable(options: argparse.Namespace) -> DeformableSettings:
    try:
        refinement, wishes = _refinement(options), guidance.guidance_from(options)
        return DeformableSettings(_affine(options), refinement, _learned(options), wishes)
    except ValueError as error:
        raise ConfigError(f"The settings of --method deformable are refused: {error}.") from error


def _refinement(options: argparse.Namespace) -> RefinementSettings | None:
    given = {name: getattr(options, name) for name in ("divergence", "spacing", "measure")}
    changes = {name: value for name, value in given.items() if value is not None}
    if "measure" in changes:
        changes["measure"] = MEASURES[options.measure]()
    if options.preset != "none":
        return replace(RefinementSettings.of(Preset(options.preset or "default")), **changes)
    if changes:
        raise ConfigError(f"--{min(changes)} belongs to a refinement, and --preset none leaves it out. Choose one.")
    if options.learned is None:
        raise ConfigError("--preset none leaves nothing that deforms. Add --learned, or take --method affine.")
    return None


def _learned(options: argparse.Namespace) -> LearnedSettings | SampledSettings | None:
    """Return how the network that is named estimates a field, or samples one: its kind decides.

    Raises:
        ConfigError: an option is for fields that are sampled, and this one is not.
    """
    model = options.learned
    changes = {name: value for name in ("samples", "patience") if (value := getattr(options, name)) is not None}
    if model is not None and read_card(find_model(model)).kind == SAMPLED:
        return LearnedSettings(model) if changes == {"samples": 0} else SampledSettings(model, **changes)
    if changes:
        raise ConfigError(f"--{min(changes)} needs --learned with a model that samples. Add that, or leave it out.")
    return None if model is None else LearnedSettings(model)


def _published(options: argparse.Namespace) -> PublishedSettings:
    if options.group not in (None, "affine"):
        raise ConfigError(
            f"--group {options.group} belongs to --method affine: here the model decides which transforms are made. "
            "Leave it out."
        )
    return PublishedSettings(_trained_model(options), count=options.steps)


def _published_diffusereg(options: argparse.Namespace) -> PublishedDiffuseRegSettings:
    eta = 1.0 if options.steps is None else 0.0  # few steps need those without chance
    model, affine = _trained_model(options), AffineSettings(polish=_polish(options))
    try:
        more = {"patience": options.patience, "guidance": guidance.guidance_from(options)}
        return PublishedDiffuseRegSettings(model, count=options.steps, eta=eta, affine=affine, **more)
    except ValueError as error:
        raise ConfigError(f"The settings of --method published-diffusereg are refused: {error}.") from error


def _polish(options: argparse.Namespace) -> PolishSettings:
    return PolishSettings(group=Group[(options.group or "affine").upper()])


def _trained_model(options: argparse.Namespace) -> str:
    """Return the model that was named, for a method whose models are of the kind of its name, and not shipped.

    Raises:
        CheckpointError: none was named.
    """
    method = options.method
    if options.model in (None, "none"):
        names = [card.name for card in list_models() if card.kind == method]
        raise CheckpointError(
            f"--method {method} needs --model NAME|PATH. Models of this kind: {', '.join(names) or 'none'}. "
            f"To train one: python -m DiffusionCore train {method} --output runs/{method}, then "
            f"--model runs/{method}/weights.safetensors."
        )
    return options.model
