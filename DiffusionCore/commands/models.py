"""``models``: list the weights that are there, with their cards; add, copy and delete one's own."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the shell."""
    parser = commands.add_parser(
        "models",
        help="list the weights that are there, with their cards; add, copy and delete your own",
        description="List the models that --model can name: what they were trained on, how well they do, and the terms "
        "of their use. All are files of safetensors; what was measured of one (NAME.calibration.json, "
        "NAME.reference.json) goes with it.",
    )
    parser.set_defaults(run=run)
    actions = parser.add_subparsers(metavar="[import|export|delete]")
    added = actions.add_parser("import", help="put a file of weights among your models")
    added.add_argument(
        "weights", type=Path, metavar="FILE", help="weights (.safetensors), e.g. RUN/weights.safetensors"
    )
    added.add_argument("name", nargs="?", metavar="NAME", help="what to call it; by default as its file, or its run")
    added.add_argument("--replace", action="store_true", help="in place of another model of yours of this name")
    added.set_defaults(run=_import)
    copied = actions.add_parser("export", help="copy a model to a file")
    copied.add_argument("name", metavar="NAME", help="the model")
    copied.add_argument("file", type=Path, metavar="FILE", help="where to (.safetensors)")
    copied.add_argument("--replace", action="store_true", help="in place of a file that is there")
    copied.set_defaults(run=_export)
    deleted = actions.add_parser("delete", help="delete a model of yours")
    deleted.add_argument("name", metavar="NAME", help="the model; one that is shipped cannot be deleted")
    deleted.set_defaults(run=_delete)


def run(options: argparse.Namespace) -> int:
    """Write the cards and return 0."""
    from DiffusionCore.models import list_models, models_folder

    cards = list_models()
    sys.stdout.write("".join(f"{card}\n\n" for card in cards) or "There are no models.\n")
    sys.stdout.write(f"Your own models (.safetensors) go to: {models_folder()}\n")
    return 0


def _import(options: argparse.Namespace) -> int:
    from DiffusionCore.model_files import install_model
    from DiffusionCore.training.folder import BEST, WEIGHTS

    path = options.weights
    of_a_run = path.name in (WEIGHTS, BEST)
    name = options.name or (path.absolute().parent.name if of_a_run else path.name.removesuffix(path.suffix))
    sys.stdout.write(f"{install_model(path, name, replace=options.replace)}\n")
    return 0


def _export(options: argparse.Namespace) -> int:
    from DiffusionCore.model_files import export_model

    sys.stdout.write(f"{export_model(options.name, options.file, replace=options.replace).path}\n")
    return 0


def _delete(options: argparse.Namespace) -> int:
    from DiffusionCore.model_files import delete_model

    delete_model(options.name)
    sys.stdout.write(f"The model '{options.name}' is deleted.\n")
    return 0
