"""``register``: align a moving image to a fixed one."""

from __future__ import annotations

import argparse
import sys

from DiffusionCore.commands.arguments import (
    add_guidance_arguments,
    add_keep_steps_argument,
    add_output_argument,
    add_pair_arguments,
    add_run_arguments,
)
from DiffusionCore.loading import starting


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the shell."""
    parser = commands.add_parser(
        "register",
        help="align two images",
        description="Align a moving image to a fixed one. Writes transform.h5 (fixed to moving, for ITK programs), "
        "warped.nii.gz on the grid of the fixed image, report.json and film-strip.png. Ctrl-C stops politely: what was "
        "reached is written.",
    )
    add_pair_arguments(parser)
    add_output_argument(parser)
    add_run_arguments(parser)
    add_guidance_arguments(parser)
    add_keep_steps_argument(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Register, write, and return 0, or 130 if the user stopped it early."""
    with starting():
        from DiffusionCore.commands.inputs import files_of, read_pair
        from DiffusionCore.commands.output import output_folder
        from DiffusionCore.commands.running import run_pair, write_outcome

    files = files_of(options)
    pair = read_pair(**files, seed=options.seed)
    with output_folder(options.output) as folder:
        outcome = run_pair(pair, options)
        outcome.report["inputs"] = {name: str(path) for name, path in files.items()}
        write_outcome(folder, pair, outcome, keep_steps=options.keep_steps)
    sys.stdout.write(summary(outcome.report) + f"Results: {options.output}\n")
    for caution in outcome.report["cautions"]:
        sys.stderr.write(f"Caution: {caution}\n")
    if outcome.registration.stopped:
        sys.stderr.write(f"Stopped early, after step {outcome.registration.steps[-1].index}; its result was written.\n")
        return 130
    return 0


def summary(report: dict) -> str:
    """Return the metrics of ``report`` before and after as a small table."""
    from DiffusionCore.report import mean_of

    before, after = (report["metrics"][key] for key in ("before", "after"))
    lines = [f"{'':28}{'before':>10}{'after':>10}"]
    for key, name in (
        ("true_error_mm", "true error, mean mm"),
        ("landmark_error_mm", "landmark error, mean mm"),
        ("mean_dice", "overlap of labels (Dice)"),
        ("mean_hd95_mm", "95 % Hausdorff, mean mm"),
        ("mutual_information", "mutual information, nats"),
        ("local_correlation", "local correlation"),
        ("normalized_cross_correlation", "correlation"),
    ):
        if before.get(key) is not None:
            lines.append(f"{name:28}{mean_of(before, key):10.3f}{mean_of(after, key):10.3f}")
    return "\n".join(lines) + f"\n{report['steps']} steps in {report['seconds']['total']:.1f} s\n"
