"""``calibrate``: measure how wrong the fields of a model are, and keep that beside its weights."""

from __future__ import annotations

import argparse
import sys

from DiffusionCore.commands.arguments import add_output_argument, positive, seed


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the shell."""
    parser = commands.add_parser(
        "calibrate",
        help="measure how wrong the fields of a model are",
        description="Register synthetic pairs, whose deformation is known, with a model of fields, and fit what can be "
        "said of its errors. The result is written beside the weights (NAME.calibration.json), where registrations "
        "with that model find it; a page about it, with a picture, goes to DIR.",
    )
    parser.add_argument("model", metavar="NAME|PATH", help="a model of the kind voxelmorph or diffusereg")
    add_output_argument(parser)
    add = parser.add_argument
    add("--pairs", type=positive, default=40, metavar="N", help="of which half are fitted (default: %(default)s)")
    add("--samples", type=positive, metavar="N", help="sample the field, so many at once, instead of estimating it")
    add("--seed", type=seed, default=900, metavar="S", help="of everything random (default: %(default)s)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Calibrate, write, and return 0."""
    from DiffusionCore.checks import ConfigError
    from DiffusionCore.commands.output import output_folder
    from DiffusionCore.config import to_json
    from DiffusionCore.deformable.learned import LearnedSettings
    from DiffusionCore.deformable.sampled import SampledSettings
    from DiffusionCore.deformable.stated import calibration_path, load_calibrations
    from DiffusionCore.models import find_model
    from DiffusionCore.training.calibration import CalibrationSettings, calibrated
    from DiffusionCore.training.calibration_page import write_page

    path = find_model(options.model)
    learned = LearnedSettings(options.model)
    if options.samples is not None:
        learned = SampledSettings(options.model, samples=options.samples)
    try:
        settings = CalibrationSettings(pairs=options.pairs, seed=options.seed)
    except ValueError as error:
        raise ConfigError(f"The settings of the calibration are refused: {error}.") from error
    with output_folder(options.output) as folder:
        found, pairs = calibrated(learned, settings, tell=_tell)
        write_page(folder, options.model, found, pairs[1::2])
    kept = load_calibrations(path).replaced(found)
    calibration_path(path).write_text(to_json(kept) + "\n", encoding="utf-8")
    sys.stdout.write(
        f"{(options.output / 'calibration.md').read_text(encoding='utf-8')}Kept in: {calibration_path(path)}\n"
    )
    return 0


def _tell(text: str) -> None:
    sys.stderr.write(text + "\n")
