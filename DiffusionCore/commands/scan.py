"""``scan``: look at training images before a training."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from DiffusionCore.training.scan import Look, Scan

_HEAD = ("image", "subject", "modality", "voxels", "mm", "labels")


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the shell."""
    parser = commands.add_parser(
        "scan",
        help="look at the images for a training: what is there, and what is wrong",
        description="Read all images that a training with --data PLACE would read, and tell of each what it is, or "
        "why the training would leave it out. Nothing is changed.",
    )
    parser.add_argument("place", type=Path, metavar="FOLDER|LIST", help="the images, as for train --data")
    parser.add_argument("--lines", action="store_true", help="write a line of JSON per image as soon as it is read")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write what is there, and return 0."""
    from tqdm import tqdm

    from DiffusionCore.training.scan import scan

    if options.lines:
        found = scan(options.place, _write_line)
    else:
        with tqdm(unit="image", file=sys.stderr, disable=None, leave=False) as bar:

            def show(look: Look, total: int) -> None:
                bar.total = total
                bar.update()

            found = scan(options.place, show)
        _write_table(found)
    return 0


def _write_line(look: Look, total: int) -> None:
    case, grid = look.case, look.grid
    row: dict[str, Any] = {
        "of": total,
        "image": str(case.image),
        "subject": case.subject,
        "modality": case.modality,
        "pair": case.pair,
        "size": None if grid is None else grid.size,
        "spacing": None if grid is None else grid.spacing,
        "labels": look.labels,
        "problem": look.problem,
    }
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()


def _write_table(found: Scan) -> None:
    rows = [_HEAD, *(_cells(look) for look in found.looks if not look.problem)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    if found.cases:
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        sys.stdout.write("\n".join(lines) + "\n\n")
    for look in found.problems:
        sys.stdout.write(f"left out: {look.case.image}: {look.problem}\n")
    sys.stdout.write(f"{found.summary()}\n")


def _cells(look: Look) -> tuple[str, ...]:
    case, grid = look.case, look.grid
    size = "" if grid is None else " x ".join(map(str, grid.size))
    spacing = "" if grid is None else " x ".join(f"{mm:.3g}" for mm in grid.spacing)
    count = "" if case.labels is None else str(len(look.labels))
    return case.name, case.subject, case.modality, size, spacing, count
