"""``models``: list the weights that are there, with their cards."""

from __future__ import annotations

import argparse
import sys


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the shell."""
    parser = commands.add_parser(
        "models",
        help="list the weights that are there, with their cards",
        description="List the models that register --model can use: what they were trained on, how well they do, and "
        "the terms of their use.",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the cards and return 0."""
    from DiffusionCore.models import list_models, models_folder

    cards = list_models()
    sys.stdout.write("".join(f"{card}\n\n" for card in cards) or "There are no models.\n")
    sys.stdout.write(f"Your own models (.safetensors) go to: {models_folder()}\n")
    return 0
