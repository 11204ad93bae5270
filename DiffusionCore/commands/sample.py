"""``sample``: register the built-in pair, whose answer is known."""

from __future__ import annotations

import argparse
import sys

from DiffusionCore.commands.arguments import add_output_argument, add_run_arguments


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the shell."""
    parser = commands.add_parser(
        "sample",
        help="register the built-in pair and print the true error",
        description="Make two images of one brain that differ by a hidden transform (70 degrees, 8 % of scale, shear, "
        "25 mm) and in contrast, slices, brightness and noise; register them; print the true error in mm. "
        "Needs the packages nilearn and pillow.",
    )
    add_output_argument(parser, default="results/sample")
    add_run_arguments(parser, "affine")  # the hidden transform is one
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Make the sample, register it, write all of it, and return 0, or 130 if the user stopped it early."""
    from DiffusionCore.commands.output import output_folder
    from DiffusionCore.commands.register import summary
    from DiffusionCore.commands.running import FILM_STRIP, run_pair, write_outcome
    from DiffusionCore.report import Pair
    from DiffusionCore.sample import LABELS, make_sample
    from DiffusionCore.storage.transforms import write_transform
    from DiffusionCore.storage.volumes import write_volume

    with output_folder(options.output) as folder:
        sample = make_sample(options.seed)
        names = ("fixed", "moving", "fixed_segmentation", "moving_segmentation")
        images = {name: getattr(sample, name) for name in names}
        for name, volume in images.items():
            write_volume(folder / f"{name}.nii.gz", volume)
        write_transform(folder / "truth.h5", sample.truth, None)
        pair = Pair(**images, truth=sample.truth, points=sample.points)
        outcome = run_pair(pair, options)
        outcome.report["labels"] = {str(label): name for label, name in LABELS.items()}
        write_outcome(folder, pair, outcome, keep_steps=True)
        drawn = (folder / FILM_STRIP).exists()
    sys.stdout.write(summary(outcome.report))
    sys.stdout.write(f"Picture: {options.output / FILM_STRIP}\n" if drawn else f"Results: {options.output}\n")
    return 130 if outcome.registration.stopped else 0
