"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_pair_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the images to align and what comes with them."""
    add = parser.add_argument
    add("--fixed", type=Path, required=True, metavar="F", help="the image that stays (.nii.gz, .nrrd, .mha)")
    add("--moving", type=Path, required=True, metavar="M", help="the image that is aligned to it")
    add("--fixed-segmentation", type=Path, metavar="S", help="labels on the fixed image: the overlap is reported")
    add("--moving-segmentation", type=Path, metavar="S", help="labels on the moving image: they are carried along")
    add("--initial-transform", type=Path, metavar="T", help="affine transform to start from (.h5, .tfm)")
    text = "pairs of points that are to meet (.csv: fx, fy, fz, mx, my, mz in LPS mm); their error is reported"
    add("--landmarks", type=Path, metavar="CSV", help=text)


def add_run_arguments(parser: argparse.ArgumentParser, method: str | None = None) -> None:
    """Declare how to register; by ``method`` where none is named, None being the one that ``method_of`` chooses."""
    add = parser.add_argument
    methods = ["affine", "deformable", "published-affine", "published-diffusereg"]
    usual = method or "deformable, or affine where --group is named"
    text = "how to align: by poses, search and polish; affine first and then by a velocity field; by the published "
    text += f"affine diffusion alone; affine first and then by the published diffusion of the field (default: {usual})"
    add("--method", choices=methods, default=method, help=text)
    presets = ["fast", "default", "accurate", "none"]
    text = "deformable: how much time for how much detail; none: the field of --learned, unrefined (default: default)"
    add("--preset", choices=presets, help=text)
    text = "deformable: how much change of volume is damped, 0 to 1; less gives more overlap, more a more regular field"
    add("--divergence", type=float, metavar="X", help=text)
    add("--spacing", type=float, metavar="MM", help="deformable: of the images at the finest level (default: 2)")
    measures = ["automatic", "local-correlation", "mind"]
    text = "deformable: what is made alike: the local correlation, for images of one contrast or its inverse; the "
    text += "self-similarity context (MIND-SSC), for others; or one of them, as the images are (default: automatic)"
    add("--measure", choices=measures, help=text)
    text = "deformable: a network that estimates the field before it is refined (default: none)"
    add("--learned", metavar="NAME|PATH", help=text)
    text = "with --learned, if it samples: how many fields are drawn at once, whose spread is reported; 0 for one "
    text += "estimate without noise, whose spread the network states (default: 4)"
    add("--samples", type=whole, metavar="N", help=text)
    text = "of a diffusion of fields: end it when N steps have made the images no more alike (default: go to the end)"
    add("--patience", type=positive, metavar="N", help=text)
    groups = ["rigid", "similarity", "affine"]
    add("--group", choices=groups, help="the maps allowed; before a field those of its affine part (default: affine)")
    add("--model", metavar="NAME|PATH", help="weights of the method (affine: default the shipped ones; none: without)")
    add("--steps", type=positive, metavar="N", help="denoising steps (default: those of the method)")
    add("--seed", type=seed, default=0, metavar="S", help="of everything random (default: %(default)s)")
    add("--device", default="auto", metavar="D", help="auto, cpu, cuda or cuda:N (default: %(default)s)")


def add_guidance_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what guides a deformable registration."""
    group = parser.add_argument_group(
        "guidance of a deformation, while it is sampled and refined (strengths: 1 is a normal one)"
    )
    add = group.add_argument
    add("--landmark-strength", type=float, metavar="X", help="of the landmarks (default: 1)")
    add("--target-label", type=positive, metavar="N", help="label of both segmentations that is to cover itself")
    add("--target-strength", type=float, metavar="X", help="of the target label (default: 1)")
    add("--direction", type=float, nargs=3, metavar=("R", "A", "S"), help="move along this direction, not across it")
    add("--direction-strength", type=float, metavar="X", help="of the direction (default: 1)")
    add("--smoothness", type=float, metavar="X", help="of the velocity, times the normal one")
    add(
        "--similarity", type=float, metavar="X", help="how much alike images count, times the normal one; 0: not at all"
    )


def add_keep_steps_argument(parser: argparse.ArgumentParser) -> None:
    """Declare what ``write_outcome`` asks for."""
    parser.add_argument("--keep-steps", action="store_true", help="write the transform of every step into DIR/steps")


def add_output_argument(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    """Declare where the results go."""
    text = "folder for the results" + (" (default: %(default)s)" if default else "")
    start = None if default is None else Path(default)
    parser.add_argument("--output", type=Path, required=default is None, default=start, metavar="DIR", help=text)


def positive(text: str) -> int:
    """Return ``text`` as a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number of at least 1 is needed, got {text}")
    return int(text)


def whole(text: str) -> int:
    """Return ``text`` as a whole number of at least 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"a whole number of at least 0 is needed, got {text}")
    return int(text)


def seed(text: str) -> int:
    """Return ``text`` as a number that every random generator can start from."""
    if not text.isdecimal() or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"a whole number from 0 to 2^63 - 1 is needed, got {text}")
    return int(text)
