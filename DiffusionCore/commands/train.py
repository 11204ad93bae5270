"""``train``: train a model, or go on with a training."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from DiffusionCore.training.ranks import Ranks
    from DiffusionCore.training.recipe import Recipe
    from DiffusionCore.training.settings import LoopSettings


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the shell."""
    parser = commands.add_parser(
        "train",
        help="train a model, or go on with it",
        description="Train a model, on synthetic images or on your own. The same command again resumes a training that "
        "was stopped (Ctrl-C, or a file named stop in RUN) or killed. RUN receives the state, weights.safetensors (for "
        "register or generate --model), best.safetensors (those of the best validation), log.jsonl with the losses, "
        "and run.json, which says who trains there. Several processes: torchrun --nproc-per-node N -m DiffusionCore "
        "train ...",
        epilog="Settings are those of the loop (steps, learning_rate, seed, ...) and of the recipe; those of a part "
        "are written with a dot, e.g. network.hidden=128. An unknown one is answered with the list of the known ones.",
    )
    parser.add_argument("recipe", metavar="RECIPE", help="what to train; --list names all")
    parser.add_argument("--list", action=_List, nargs=0, help="list the recipes, and exit")
    parser.add_argument("--output", type=Path, required=True, metavar="RUN", help="folder of the training")
    text = "your images, where the recipe takes some (--list says which need, which may have, and which take none): "
    text += "their folder, with labels in NAME_seg where there are any and a sub-folder per modality; a folder of "
    text += "nnU-Net; or a list (.csv, .json) with image, label, subject, modality, pair. voxelmorph and diffusereg "
    text += "learn from labeled cases in place of synthetic heads"
    parser.add_argument("--data", type=Path, metavar="FOLDER|LIST", help=text)
    parser.add_argument("--minutes", type=float, metavar="M", help="stop, resumable, after this time")
    parser.add_argument("--device", default="cpu", metavar="auto|cpu|cuda[:i]", help="where the network computes")
    parser.add_argument("settings", nargs="*", metavar="key=value", help="changes of the settings")
    parser.set_defaults(run=run)


class _List(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *given: object) -> None:
        from DiffusionCore.training.recipes import RECIPES

        width = max(map(len, RECIPES))
        sys.stdout.write(f"{'recipe':<{width}}   steps  data\n")
        for name, entry in RECIPES.items():
            data = "yours" if entry.needs_data else "none or yours" if entry.takes_data else "none"
            sys.stdout.write(f"{name:<{width}}  {entry.settings.steps:>6}  {data:<13}  {entry.about}\n")
        parser.exit()


def run(options: argparse.Namespace) -> int:
    """Train and return 0, or 130 if the user stopped it."""
    from DiffusionCore.build import choose_device
    from DiffusionCore.training.history import COMMANDS, command_text
    from DiffusionCore.training.ranks import joined
    from DiffusionCore.training.recipes import configure

    if options.data is not None:
        _require_use_of_data(options.recipe, options.data)
        options.settings = [*options.settings, f"data={json.dumps(str(options.data.absolute()))}"]
    recipe, settings, card = configure(options.recipe, options.settings)
    card[COMMANDS] = [[command_text(options.recipe, options.settings), ""]]
    _require_network(recipe)
    choose_device(options.device)
    with joined(options.device) as ranks:
        return _train(options, recipe, settings, card, ranks)


def _train(
    options: argparse.Namespace, recipe: Recipe, settings: LoopSettings, card: dict[str, Any], ranks: Ranks
) -> int:
    import time

    from tqdm import tqdm

    from DiffusionCore.build import gpus
    from DiffusionCore.commands.progress import PoliteStop
    from DiffusionCore.training.folder import BEST, TrainingPlace, TrainingRecord
    from DiffusionCore.training.loop import train

    deadline = time.monotonic() + 60 * options.minutes if options.minutes is not None else float("inf")
    used = ranks.gpus(options.device)
    record = TrainingRecord(
        options.recipe,
        tuple(options.settings),
        options.device,
        options.minutes,
        settings.steps,
        gpus=used,
        spare_gpus=tuple(gpu for gpu in gpus() if gpu not in used),
    )
    with (
        TrainingPlace(options.output, record) if ranks.first else nullcontext() as place,
        PoliteStop(signal.SIGINT, signal.SIGTERM) as stop,  # a cluster ends jobs by SIGTERM
        tqdm(total=settings.steps, unit="step", file=sys.stderr, disable=not ranks.first) as bar,
    ):
        last: dict[str, float] = {"step": settings.steps}  # a training that was over already logs nothing

        def show(row: dict[str, float]) -> None:
            nonlocal last
            last = row
            bar.set_postfix({"loss": row.get("loss")}, refresh=False)
            bar.update(int(row["step"]) - bar.n)

        def over() -> bool:
            return stop() or (place is not None and place.stop_asked()) or time.monotonic() > deadline

        weights = train(
            recipe,
            options.output,
            settings,
            device=options.device,
            card=card,
            should_stop=over,
            on_log=show,
            say=lambda text: bar.write(text, file=sys.stderr),
            ranks=ranks,
        )
        early = last["step"] < settings.steps
        exhausted = 0 < settings.patience <= last.get("since_best", 0)
        if place is not None:
            place.unfinished = early and not exhausted
    if ranks.first:
        sys.stdout.write(f"Weights: {weights}\n")
        if early and exhausted:
            sys.stderr.write(f"{settings.patience} validations were no better; '{BEST}' has the best weights.\n")
        elif early:
            sys.stderr.write("Stopped early. The same command goes on from here.\n")
    return 130 if stop.requested else 0


def _require_use_of_data(name: str, data: Path) -> None:
    """Raise ConfigError if the recipe ``name`` can learn from nothing but synthetic images, so not from ``data``."""
    from DiffusionCore.checks import ConfigError
    from DiffusionCore.training.recipes import RECIPES

    if name in RECIPES and not RECIPES[name].takes_data:
        others = ", ".join(other for other, entry in RECIPES.items() if entry.takes_data)
        raise ConfigError(
            f"The recipe '{name}' learns from synthetic images alone, not from '{data}'. Leave out --data, or choose "
            f"one of {others}."
        )


def _require_network(recipe: Recipe) -> None:
    """Raise ConfigError unless the network of ``recipe`` can be built."""
    from DiffusionCore.checks import ConfigError

    try:
        recipe.network()
    except (ValueError, RuntimeError) as error:
        raise ConfigError(f"No network can be built with these settings: {error}.") from error
