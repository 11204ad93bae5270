"""``reference``: measure how the volumes of labels vary among real cases, to judge variants by."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the shell."""
    parser = commands.add_parser(
        "reference",
        help="measure the labels of real cases, to judge variants by",
        description="Measure how the volumes of labels, and those of the left and the right side, vary among labeled "
        "cases. synthesize --reference FILE then redraws variants that are more unusual; beside the weights of a "
        "model, as NAME.reference.json, it is used with that model by itself.",
    )
    add = parser.add_argument
    add("--input", type=Path, required=True, metavar="FOLDER", help="at least 4 labeled cases, as for synthesize")
    add("--output", type=Path, required=True, metavar="FILE", help="file to write (.json)")
    text = "labels of the left and of the right side (default: by their names, left and right, lh and rh, l and r)"
    add("--sides", type=_pair, nargs="+", metavar="LEFT:RIGHT", help=text)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure, write, and return 0."""
    from DiffusionCore.synthesis.inputs import find_subjects
    from DiffusionCore.synthesis.reference import measure_cases, write_reference

    real = measure_cases(find_subjects(options.input), options.sides)
    write_reference(options.output, real)
    sys.stdout.write(f"{len(real.cases)} cases, {len(real.pairs)} pairs of labels of both sides.\n")
    sys.stdout.write("Each case against the others, root mean square z: of left and right, of the volumes\n")
    sys.stdout.write("".join(f"  {score.asymmetry:.2f}  {score.volume:.2f}\n" for score in real.left_out()))
    sys.stdout.write(f"Reference: {options.output}\n")
    return 0


def _pair(text: str) -> tuple[int, int]:
    left, colon, right = text.partition(":")
    if not (colon and left.isdecimal() and right.isdecimal()):
        raise argparse.ArgumentTypeError(f"two labels LEFT:RIGHT are needed, got {text}")
    return int(left), int(right)
