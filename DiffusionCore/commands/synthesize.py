"""``synthesize``: labeled variants of labeled cases."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from DiffusionCore.commands.arguments import add_output_argument, positive, seed
from DiffusionCore.loading import starting

if TYPE_CHECKING:
    from DiffusionCore.synthesis.batch import Order
    from DiffusionCore.synthesis.inputs import SubjectFiles

_NAMED = {"subtle": 0.3, "natural": 0.6, "strong": 1.0}


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the shell."""
    parser = commands.add_parser(
        "synthesize",
        help="make labeled training cases out of few",
        description="Deform labeled cases at random: image, labels and landmarks by one field, resampled once, labels "
        "by nearest neighbor. Every variant is checked (folds, volumes and parts of labels, field of view), and drawn "
        "again if it fails. Variant K of a seed is the same for ever. The same command goes on where it was stopped.",
    )
    add = parser.add_argument
    add("--image", type=Path, nargs="+", metavar="I", help="one case: its image, or its channels")
    add("--segmentation", type=Path, nargs="+", default=[], metavar="S", help="its labels, of any number of files")
    add("--landmarks", type=Path, metavar="CSV", help="its landmarks (x, y, z in LPS mm)")
    text = "many cases: NAME.nii.gz with NAME_seg.nii.gz, or imagesTr and labelsTr (nnU-Net), or img and msk (DRDM)"
    add("--input", type=Path, metavar="FOLDER", help=text)
    add_output_argument(parser)
    add("--count", type=positive, required=True, metavar="N", help="variants in all; the cases take turns")
    add_synthesis_arguments(parser)
    text = (
        "random: of several scales (default); registration: mixtures of the registrations of the cases of --input to "
    )
    text += "one another, which are made first and kept in DIR/registrations"
    add("--source", choices=["random", "registration"], default="random", help=text)
    add(
        "--workers",
        type=positive,
        metavar="N",
        help="processes (default: one per core, fewer if there is little to do)",
    )
    parser.set_defaults(run=run)


def add_synthesis_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare how variants are made, of whatever case."""
    add = parser.add_argument
    add("--start", type=_index, default=0, metavar="K", help="number of the first one (default: %(default)s)")
    text = "0 to 1, or subtle (.3), natural (.6, the default), strong (1): the mean displacement of the tissue is 3 %% "
    add("--strength", type=_strength, default=0.6, metavar="X", help=text + "of its extent at 1, in a brain 5 mm")
    add("--displacement", type=float, metavar="MM", help="the mean displacement, instead of --strength")
    text = "both sides deform alike (default auto: where they look alike)"
    add("--symmetry", choices=["auto", "on", "off"], default="auto", help=text)
    add("--rotation", type=float, default=0.0, metavar="DEG", help="deviation of a random turn, too (default: none)")
    add("--scale", type=float, default=0.0, metavar="X", help="deviation of a random log-scale (default: none)")
    add("--translation", type=float, default=0.0, metavar="MM", help="deviation of a random shift (default: none)")
    add("--intensity", type=float, default=0.0, metavar="P", help="probability of gamma, bias and noise (default: 0)")
    text = "a network (kind drdm) that makes the deformations more natural (default: none)"
    add("--model", metavar="NAME|PATH", help=text)
    text = "a diffusion of images (kind image) that paints a new image into the deformed labels (default: none)"
    add("--image-model", metavar="NAME|PATH", help=text)
    text = "file of the command reference: variants of unusual volumes of labels are redrawn (default: that of --model)"
    add("--reference", type=Path, metavar="FILE", help=text)
    formats = ["nnunet", "pairs", "drdm", "bids", "registration"]
    text = "of the set (default: %(default)s); registration: fixed and moving images with the exact field, for evaluate"
    add("--format", choices=formats, default="nnunet", help=text)
    add("--seed", type=seed, default=0, metavar="S", help="of everything random (default: %(default)s)")


def run(options: argparse.Namespace) -> int:
    """Make the set and return 0, or 130 if the user stopped it early."""
    with starting():
        from tqdm import tqdm

        from DiffusionCore.commands.progress import PoliteStop
        from DiffusionCore.synthesis.batch import make_set

    order = order_of(options, _subjects(options))
    kind = "pair" if order.layout == "registration" else "variant"
    bar = tqdm(total=len(order.indices), unit=kind, file=sys.stderr, disable=None)

    def show(record: dict[str, Any]) -> None:
        bar.update()

    with PoliteStop() as stop, bar:
        if order.settings.registrations is not None:
            _register(order, Path(order.settings.registrations), stop)
        outcome = make_set(order, workers=options.workers, on_sample=show, should_stop=stop)
    before = f", {outcome.before} were there" if outcome.before else ""
    sys.stdout.write(f"{outcome.made} {kind}s made{before}; {outcome.redrawn} draws failed a check.\n")
    for text in outcome.refused.values():
        sys.stderr.write(f"left out: {text}\n")
    sys.stdout.write(f"Set: {options.output}\n")
    if outcome.stopped:
        sys.stderr.write("Stopped early. The same command goes on from here.\n")
    return 130 if outcome.stopped else 0


def _register(order: Order, folder: Path, stop: Callable[[], bool]) -> None:
    """Register the cases of ``order`` to one another, but for those that are done."""
    from tqdm import tqdm

    from DiffusionCore.checks import ConfigError
    from DiffusionCore.synthesis.mixtures import FEWEST, pairs_to_register, register_cases

    cases = order.subjects
    if len(cases) <= FEWEST:
        raise ConfigError(f"--source registration needs at least {FEWEST + 1} cases by --input, got {len(cases)}.")
    with tqdm(total=pairs_to_register(len(cases)), unit="registration", file=sys.stderr, disable=None) as bar:
        register_cases(cases, folder, on_pair=bar.update, should_stop=stop)


def order_of(options: argparse.Namespace, subjects: Sequence[SubjectFiles]) -> Order:
    """Return the variants of ``subjects`` that ``options`` (see ``add_synthesis_arguments``) ask for.

    Raises:
        ConfigError: an option is out of its range, or does not go with another.
        StorageError: the reference cannot be read.
    """
    from DiffusionCore.checks import ConfigError
    from DiffusionCore.synthesis.batch import Order
    from DiffusionCore.synthesis.reference import read_reference
    from DiffusionCore.synthesis.settings import SynthesisSettings

    if options.format == "registration" and options.image_model is not None:
        raise ConfigError("--image-model paints variants; the images of a pair show one case. Leave one of both out.")
    try:
        settings = SynthesisSettings(
            strength=options.strength,
            displacement=options.displacement,
            symmetry=options.symmetry,
            rotation=options.rotation,
            scale=options.scale,
            translation=options.translation,
            intensity=options.intensity,
            model=options.model,
            registrations=str(options.output / "registrations") if options.source == "registration" else None,
            reference=None if options.reference is None else read_reference(options.reference),
            image_model=options.image_model,
        )
    except ValueError as error:
        raise ConfigError(f"The settings are refused: {error}.") from error
    indices = range(options.start, options.start + options.count)
    return Order(tuple(subjects), options.output, settings, indices, options.seed, options.format)


def _subjects(options: argparse.Namespace) -> list[SubjectFiles]:
    from DiffusionCore.checks import ConfigError
    from DiffusionCore.synthesis.inputs import SubjectFiles, find_subjects, name_of

    if (options.input is None) == (options.image is None):
        raise ConfigError("Give one case by --image (and --segmentation), or a folder of cases by --input.")
    if options.input is None:
        files = SubjectFiles(
            name_of(options.image), tuple(options.image), tuple(options.segmentation), options.landmarks
        )
        return [files]
    if options.segmentation or options.landmarks:
        raise ConfigError("--segmentation and --landmarks belong to --image. Leave them out, or name one case.")
    return find_subjects(options.input)


def _strength(text: str) -> float:
    if text in _NAMED:
        return _NAMED[text]
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"a number from 0 to 1, or {', '.join(_NAMED)}, is needed, got {text}")
    return value


def _index(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"a whole number of at least 0 is needed, got {text}")
    return int(text)
