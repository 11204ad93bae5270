"""From the command line to what guides a deformable registration."""

from __future__ import annotations

import argparse
from typing import Any

from DiffusionCore.checks import ConfigError, StorageError
from DiffusionCore.commands.inputs import read_landmarks
from DiffusionCore.deformable.guidance import Guidance, LandmarkPair, Landmarks, PreferredDirection, TargetSegment

OPTIONS = (
    "landmark_strength",
    "target_label",
    "target_strength",
    "direction",
    "direction_strength",
    "smoothness",
    "similarity",
)
_OWNERS = {"landmark_strength": "landmarks", "target_strength": "target_label", "direction_strength": "direction"}


def guidance_from(options: argparse.Namespace) -> Guidance | None:
    """Return the guidance that ``options`` (see ``add_guidance_arguments``) ask for, if any.

    Raises:
        ConfigError: a strength without what it belongs to, or a target label without both segmentations.
        StorageError: the landmarks cannot be read, or there are none.
        ValueError: a number is out of its range.
    """
    given = {name: value for name in ("landmarks", *OPTIONS) if (value := getattr(options, name, None)) is not None}
    for strength, owner in _OWNERS.items():
        if strength in given and owner not in given:
            raise ConfigError(f"{_flag(strength)} belongs to {_flag(owner)}. Add that, or leave it out.")
    if not given:
        return None
    terms: dict[str, Any] = {name: given[name] for name in ("smoothness", "similarity") if name in given}
    if "landmarks" in given:
        terms["landmarks"] = _landmarks(options, given.get("landmark_strength", 1.0))
    if "target_label" in given:
        terms["segment"] = _segment(options, given.get("target_strength", 1.0))
    if "direction" in given:
        terms["direction"] = PreferredDirection(tuple(options.direction), given.get("direction_strength", 1.0))
    return Guidance(**terms)


def _landmarks(options: argparse.Namespace, strength: float) -> Landmarks:
    points = read_landmarks(options.landmarks)
    if not len(points):
        raise StorageError(f"The landmarks '{options.landmarks}' hold no pair of points.")
    return Landmarks(tuple(LandmarkPair(tuple(f), tuple(m)) for f, m in points.tolist()), strength)


def _segment(options: argparse.Namespace, strength: float) -> TargetSegment:
    if options.fixed_segmentation is None or options.moving_segmentation is None:
        raise ConfigError("--target-label needs --fixed-segmentation and --moving-segmentation.")
    fixed, moving = options.fixed_segmentation.absolute(), options.moving_segmentation.absolute()
    return TargetSegment(fixed, moving, options.target_label, strength)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
