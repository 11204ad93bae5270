"""``generate``: new images by a trained diffusion."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from DiffusionCore.commands.arguments import add_output_argument, positive, seed

if TYPE_CHECKING:
    from tqdm import tqdm

    from DiffusionCore.commands.progress import PoliteStop
    from DiffusionCore.generation import GenerationSettings, ImageModel
    from DiffusionCore.space import Volume

RECORD = "generation.json"


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the shell."""
    parser = commands.add_parser(
        "generate",
        help="make new images by a trained diffusion",
        description="Make new images with a model that was trained by an image recipe. Writes image_0000.nii.gz, ... "
        "(intensities relative to the mean of the foreground, background 0) and generation.json. With label maps, "
        "each image lies on the grid of its map, which is written beside it as image_0000_seg.nii.gz. Image k of a "
        "seed is for ever the same. The same command again goes on where it was stopped or killed.",
    )
    add = parser.add_argument
    add("--model", required=True, metavar="NAME|PATH", help="weights of an image recipe")
    add("--count", type=positive, required=True, metavar="N", help="how many images there are to be in DIR")
    add_output_argument(parser)
    add("--seed", type=seed, default=0, metavar="S", help="of everything random (default: %(default)s)")
    text = "label map that says where tissue goes, or a folder of them, which are taken in turn"
    add("--segmentation", type=Path, metavar="FILE|DIR", help=text)
    add("--class", dest="kind", metavar="NAME", help="the kind of images, where the model knows several")
    text = "how much an image follows label map and class: 0 not at all, 1 as learned, more than learned above"
    add("--guidance-scale", type=float, default=1.5, metavar="G", help=f"{text} (default: %(default)s)")
    add("--steps", type=positive, metavar="N", help="of the network per image (default: 50; ddpm: all)")
    text = "without chance but for the first noise, or with fresh noise at each step (default: %(default)s)"
    add("--sampler", choices=["ddim", "ddpm"], default="ddim", help=text)
    text = (
        "in which the network computes; generation.json keeps it, and the same command again stays with it (default: "
    )
    add("--precision", choices=["fastest", "float32", "bfloat16"], default="fastest", help=f"{text}%(default)s)")
    add("--device", default="auto", metavar="D", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Make the images that are not there yet, and return 0, or 130 if the user stopped it early."""
    from dataclasses import replace

    from tqdm import tqdm

    from DiffusionCore.commands.progress import PoliteStop
    from DiffusionCore.config import to_dict
    from DiffusionCore.generation import ImageModel
    from DiffusionCore.models import find_model
    from DiffusionCore.networks.precision import settled_precision
    from DiffusionCore.report import versions

    begun = _begun(options.output)
    settings = _settings(options, begun)
    model = ImageModel.load(options.model, options.device)
    settings = replace(settings, precision=settled_precision(settings.precision, model.device))
    total = len(model.times(settings.steps))
    maps = _maps(options.segmentation)
    for path in maps or [None]:  # before anything is written
        model.conditions(settings.kind, None if path is None else _read(path))
    record = {
        "model": _digest(find_model(options.model)),
        "seed": options.seed,
        "settings": to_dict(settings),
        "segmentations": {path.name: _digest(path) for path in maps},
    }
    _begin(options.output, begun, record, {"model_name": str(options.model), "versions": versions()})
    missing = [number for number in range(options.count) if not _path(options.output, number).exists()]
    with PoliteStop() as stop, tqdm(total=total * len(missing), unit="step", file=sys.stderr, disable=None) as bar:
        for number in missing:
            labels = maps[number % len(maps)] if maps else None
            if not _make(options, model, number, settings, labels, stop, bar):
                break
    made = sum(_path(options.output, number).exists() for number in range(options.count))
    sys.stdout.write(f"{made} of {options.count} images: {options.output}\n")
    if made < options.count:
        sys.stderr.write("Stopped early. The same command goes on from here.\n")
    return 130 if made < options.count else 0


def _make(
    options: argparse.Namespace,
    model: ImageModel,
    number: int,
    settings: GenerationSettings,
    map_path: Path | None,
    stop: PoliteStop,
    bar: tqdm,
) -> bool:
    """Make and write one image, and return whether to go on."""
    from DiffusionCore.generation import generate
    from DiffusionCore.storage.volumes import write_volume
    from DiffusionCore.transforms.affine import Affine
    from DiffusionCore.transforms.resample import resample

    labels = None if map_path is None else _read(map_path)
    image = None
    for step in generate(model, number, seed=options.seed, settings=settings, labels=labels):
        image = step.image
        bar.update()
        if stop() and step.index + 1 < step.of:
            return False
    assert image is not None
    path = _path(options.output, number)
    if labels is not None:
        write_volume(path.with_name(f"{path.name.removesuffix('.nii.gz')}_seg.nii.gz"), labels)
        image = resample(image, labels.grid, Affine.identity())
    write_volume(path, image)  # last: it says that the number is done
    return not stop()


def _begun(folder: Path) -> dict[str, Any] | None:
    """Return the record of the images that were begun in ``folder``, or None; settings that are older are completed."""
    from DiffusionCore.checks import ConfigError, StorageError
    from DiffusionCore.config import from_dict, to_dict
    from DiffusionCore.generation import GenerationSettings

    path = folder / RECORD
    try:
        if not path.exists():
            return None
        begun = json.loads(path.read_text(encoding="utf-8"))
        return {**begun, "settings": to_dict(from_dict(GenerationSettings, begun["settings"]))}
    except (OSError, ValueError, KeyError, TypeError, ConfigError) as error:
        raise StorageError(f"'{folder}' cannot be used for the images ({error}). Choose another --output.") from error


def _settings(options: argparse.Namespace, begun: dict[str, Any] | None) -> GenerationSettings:
    """Return what ``options`` ask for; a precision that they leave open is that of the images that were ``begun``."""
    from DiffusionCore.checks import ConfigError
    from DiffusionCore.generation import GenerationSettings
    from DiffusionCore.networks.precision import Precision

    steps = options.steps or (50 if options.sampler == "ddim" else None)
    precision = Precision(options.precision)
    if begun is not None and precision is Precision.FASTEST:
        precision = Precision[begun["settings"]["precision"]]
    try:
        return GenerationSettings(steps, options.sampler, options.guidance_scale, options.kind, precision)
    except ValueError as error:
        raise ConfigError(f"{error}.") from error


def _begin(folder: Path, begun: dict[str, Any] | None, record: dict[str, Any], facts: dict[str, Any]) -> None:
    """Write what is made in ``folder``, or make sure that it is what was ``begun`` there."""
    from DiffusionCore.checks import ConfigError, StorageError
    from DiffusionCore.storage.files import replacing

    if begun is None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"'{folder}' cannot be made ({error.strerror}). Choose another --output.") from error
        with replacing(folder / RECORD) as unfinished:
            unfinished.write_text(json.dumps({**record, **facts}, indent=2) + "\n", encoding="utf-8")
    elif different := [key for key in record if begun.get(key) != json.loads(json.dumps(record[key]))]:
        raise ConfigError(
            f"The images in '{folder}' were begun with another {', another '.join(different)}. Choose another "
            "--output, or the same options."
        )


def _maps(given: Path | None) -> list[Path]:
    """Return the label maps of a file or a folder: those named NAME_seg, or all where none is named so."""
    from DiffusionCore.checks import StorageError
    from DiffusionCore.storage.files import suffix_of
    from DiffusionCore.storage.volumes import VOLUME_SUFFIXES
    from DiffusionCore.training.cases import LABELS

    if given is None:
        return []
    if not given.is_dir():
        return [given]
    paths = sorted(path for path in given.iterdir() if suffix_of(path) in VOLUME_SUFFIXES)
    named = [path for path in paths if path.name.removesuffix(suffix_of(path)).endswith(LABELS)]
    if not paths:
        raise StorageError(f"There is no label map in the folder '{given}'.")
    return named or paths


def _read(path: Path) -> Volume:
    from DiffusionCore.training.cases import read_labels

    return read_labels(path)


def _path(folder: Path, number: int) -> Path:
    return folder / f"image_{number:04d}.nii.gz"


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file, by which it is known again."""
    import hashlib

    from DiffusionCore.storage.files import require_file

    return hashlib.sha256(require_file(path, "a file").read_bytes()).hexdigest()
