"""``models``: list the weights that are there, with their cards."""

from __future__ import annotations

import argparse
import sys


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the shell."""
    parser = commands.add_parser("models", help="list the shipped weights with their cards", description=__doc__)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the cards and return 0."""
    from DiffusionCore.models import list_models

    cards = list_models()
    for card in cards:
        sys.stdout.write(f"{card}\n")
    if not cards:
        sys.stdout.write("No weights are shipped with this version.\n")
    return 0
