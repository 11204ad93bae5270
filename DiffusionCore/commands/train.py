"""``train``: train a model, or go on with a training."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from DiffusionCore.training.loop import Recipe


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the shell."""
    parser = commands.add_parser(
        "train",
        help="train a model, or go on with it",
        description="Train a model, on synthetic images or on your own. The same command again resumes a training that "
        "was stopped (Ctrl-C, or a file named stop in RUN) or killed. RUN receives the state, weights.safetensors (for "
        "register or generate --model), log.jsonl with the losses, and run.json, which says who trains there.",
        epilog="Settings are those of the loop (steps, learning_rate, seed, ...) and of the recipe; those of a part "
        "are written with a dot, e.g. network.hidden=128. An unknown one is answered with the list of the known ones.",
    )
    parser.add_argument("recipe", metavar="RECIPE", help="what to train; affine is the default registration")
    parser.add_argument("--output", type=Path, required=True, metavar="RUN", help="folder of the training")
    text = "image recipes: folder of images, with labels in NAME_seg where there are any, and a sub-folder per class"
    parser.add_argument("--data", type=Path, metavar="FOLDER", help=text)
    parser.add_argument("--minutes", type=float, metavar="M", help="stop, resumable, after this time")
    parser.add_argument("--device", default="cpu", metavar="auto|cpu|cuda[:i]", help="where the network computes")
    parser.add_argument("settings", nargs="*", metavar="key=value", help="changes of the settings")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Train and return 0, or 130 if the user stopped it."""
    import time

    from tqdm import tqdm

    from DiffusionCore.build import choose_device
    from DiffusionCore.commands.progress import PoliteStop
    from DiffusionCore.training.folder import TrainingPlace, TrainingRecord
    from DiffusionCore.training.loop import train
    from DiffusionCore.training.recipes import configure

    if options.data is not None:
        options.settings = [*options.settings, f"data={json.dumps(str(options.data.absolute()))}"]
    recipe, settings, card = configure(options.recipe, options.settings)
    _require_network(recipe)
    choose_device(options.device)
    deadline = time.monotonic() + 60 * options.minutes if options.minutes is not None else float("inf")
    record = TrainingRecord(options.recipe, tuple(options.settings), options.device, options.minutes, settings.steps)
    with (
        TrainingPlace(options.output, record) as place,
        PoliteStop() as stop,
        tqdm(total=settings.steps, unit="step", file=sys.stderr) as bar,
    ):
        done = settings.steps  # a training that was over already logs nothing

        def show(row: dict[str, float]) -> None:
            nonlocal done
            done = int(row["step"])
            bar.set_postfix({"loss": row["loss"]}, refresh=False)
            bar.update(done - bar.n)

        def over() -> bool:
            return stop() or place.stop_asked() or time.monotonic() > deadline

        weights = train(
            recipe, options.output, settings, device=options.device, card=card, should_stop=over, on_log=show
        )
        place.unfinished = done < settings.steps
    sys.stdout.write(f"Weights: {weights}\n")
    if place.unfinished:
        sys.stderr.write("Stopped early. The same command goes on from here.\n")
    return 130 if stop.requested else 0


def _require_network(recipe: Recipe) -> None:
    """Raise ConfigError unless the network of ``recipe`` can be built."""
    from DiffusionCore.checks import ConfigError

    try:
        recipe.network()
    except (ValueError, RuntimeError) as error:
        raise ConfigError(f"No network can be built with these settings: {error}.") from error
