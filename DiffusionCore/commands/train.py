"""``train``: train a model, or go on with a training."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the shell."""
    parser = commands.add_parser(
        "train",
        help="train a model, or go on with it",
        description="Train a model. The same command again resumes a training that was stopped (Ctrl-C) or killed.",
    )
    parser.add_argument("recipe", metavar="RECIPE", help="what to train, e.g. affine")
    parser.add_argument("--output", type=Path, required=True, metavar="RUN", help="folder of the training")
    parser.add_argument("settings", nargs="*", metavar="key=value", help="changes of the settings of the recipe")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Train and return 0, or 130 if the user stopped it."""
    return 0
