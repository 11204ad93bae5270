"""``train``: train a model, or go on with a training."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from DiffusionCore.training.loop import LoopSettings, Recipe

RECIPES = ("affine",)


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the shell."""
    parser = commands.add_parser(
        "train",
        help="train a model, or go on with it",
        description="Train a model on synthetic images. The same command again resumes a training that was stopped "
        "(Ctrl-C) or killed. RUN receives the state, weights.safetensors (give it to register --model) and log.jsonl.",
        epilog="Settings are those of the loop (steps, learning_rate, seed, ...) and of the recipe; those of a part "
        "are written with a dot, e.g. network.hidden=128. An unknown one is answered with the list of the known ones.",
    )
    parser.add_argument("recipe", choices=RECIPES, metavar="RECIPE", help=f"what to train: {', '.join(RECIPES)}")
    parser.add_argument("--output", type=Path, required=True, metavar="RUN", help="folder of the training")
    parser.add_argument("--minutes", type=float, metavar="M", help="stop, resumable, after this time")
    parser.add_argument("settings", nargs="*", metavar="key=value", help="changes of the settings")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Train and return 0, or 130 if the user stopped it."""
    import time

    from tqdm import tqdm

    from DiffusionCore.commands.progress import PoliteStop
    from DiffusionCore.training.loop import train

    recipe, settings = recipe_from(options.recipe, options.settings)
    deadline = time.monotonic() + 60 * options.minutes if options.minutes is not None else float("inf")
    with PoliteStop() as stop, tqdm(total=settings.steps, unit="step", file=sys.stderr) as bar:

        def show(row: dict[str, float]) -> None:
            bar.set_postfix({"loss": row["loss"]}, refresh=False)
            bar.update(row["step"] - bar.n)

        weights = train(
            recipe, options.output, settings, should_stop=lambda: stop() or time.monotonic() > deadline, on_log=show
        )
    sys.stdout.write(f"Weights: {weights}\n")
    if stop.requested:
        sys.stderr.write("Stopped early. The same command goes on from here.\n")
    return 130 if stop.requested else 0


def recipe_from(name: str, texts: list[str]) -> tuple[Recipe, LoopSettings]:
    """Return the recipe ``name`` and the settings of the loop, both with the changes ``texts`` ("key=value").

    Raises:
        ConfigError: a change has no "=", its key is unknown, or its value has the wrong type, or the network refuses it.
    """
    from DiffusionCore.checks import ConfigError
    from DiffusionCore.config import from_dict
    from DiffusionCore.training.loop import LoopSettings
    from DiffusionCore.training.pose import PoseRecipe, PoseRecipeConfig

    kinds = {"affine": (PoseRecipe, PoseRecipeConfig)}
    recipe_class, config_class = kinds[name]
    of_loop = [field.name for field in dataclasses.fields(LoopSettings)]
    known = [*of_loop, *(field.name for field in dataclasses.fields(config_class))]
    loop: dict[str, Any] = {}
    config: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        first, *rest = key.split(".")
        if not equals or first not in known:
            raise ConfigError(f"Expected key=value, got '{text}'. The settings of '{name}' are: {', '.join(known)}.")
        branch = loop if first in of_loop else config
        for part in (first, *rest)[:-1]:
            branch = branch.setdefault(part, {})
        branch[(first, *rest)[-1]] = _parsed(value)
    settings = from_dict(LoopSettings, loop)
    recipe = recipe_class(from_dict(config_class, config), seed=settings.seed)
    try:
        recipe.network()
    except (ValueError, RuntimeError) as error:
        raise ConfigError(f"No network can be built with these settings: {error}.") from error
    return recipe, settings


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
