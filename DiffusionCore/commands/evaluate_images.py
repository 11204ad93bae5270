"""``evaluate-images``: compare a folder of generated images with a folder of real ones."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from DiffusionCore.commands.arguments import add_output_argument

if TYPE_CHECKING:
    from torch import Tensor

    from DiffusionCore.training.image_folder import ImageFolder

REPORT, MOSAIC = "report.json", "mosaic.png"
_SHOWN = 6


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the shell."""
    parser = commands.add_parser(
        "evaluate-images",
        help="compare generated images with real ones",
        description="Bring two folders of images to one grid (axes of the body, centered on the foreground) and "
        "measure how alike the sets are (Frechet and kernel distance of fixed features, distance of the intensities), "
        "how much the images vary (multi-scale structural similarity among them), and how near each is to the nearest "
        "image of the reference: give the training images to see whether any was learned by heart. Two halves of the "
        "reference are compared likewise, for scale. Writes report.json and mosaic.png.",
    )
    add = parser.add_argument
    add("--images", type=Path, required=True, metavar="DIR", help="the generated images")
    add("--reference", type=Path, required=True, metavar="DIR", help="the real images, e.g. those of the training")
    add("--spacing", type=float, default=4.0, metavar="MM", help="of the common grid (default: %(default)s)")
    add_output_argument(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compare both folders, print the numbers, and return 0."""
    from DiffusionCore.checks import ConfigError
    from DiffusionCore.commands.output import output_folder
    from DiffusionCore.training.image_folder import ImageFolder

    if not 0.1 <= options.spacing <= 100:
        raise ConfigError(f"--spacing needs 0.1 to 100 mm, got {options.spacing}.")
    reference = ImageFolder.read(options.reference, spacing=options.spacing, labelled=False, multiple=8)
    images = ImageFolder.read(options.images, spacing=options.spacing, labelled=False, size=reference.frame.size)
    for name, folder in (("--images", images), ("--reference", reference)):
        if len(folder.names) < 2:
            raise ConfigError(f"{name} needs at least two images that can be used, got {len(folder.names)}.")
    report = compared(images, reference)
    with output_folder(options.output) as folder:
        (folder / REPORT).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        _draw(folder / MOSAIC, images, reference, report)
    sys.stdout.write("".join(f"{text:<58}{value}\n" for text, value in _lines(report)))
    sys.stdout.write(f"Results: {options.output}\n")
    return 0


def compared(images: ImageFolder, reference: ImageFolder) -> dict[str, Any]:
    """Return the report: what was measured, and the nearest image of the reference for each image."""
    from DiffusionCore.images.set_metrics import mean_similarity, nearest, nearest_other
    from DiffusionCore.report import versions

    made, real = images.images.float(), reference.images.float()
    found, usual = nearest(made, real), nearest_other(real)
    rows = [
        {"image": name, "nearest": reference.names[number], "distance": round(distance, 5)}
        for name, number, distance in zip(images.names, found.numbers, found.distances, strict=True)
    ]
    return {
        "counts": {"images": len(made), "reference": len(real)},
        "grid": {"size": list(reference.frame.size), "spacing_mm": reference.frame.spacing},
        "distances": _distances(made, real, real),
        "distances_of_reference_halves": _distances(real[::2], real[1::2], real) if len(real) >= 4 else None,
        "ms_ssim": {"among_images": mean_similarity(made), "among_reference": mean_similarity(real)},
        "nearest": {
            "median": found.median,
            "least": min(found.distances),
            "median_within_reference": usual.median,
            "least_within_reference": min(usual.distances),
            "unit": "root mean square difference, relative to the mean of the foreground",
            "images": rows,
        },
        "versions": versions(),
    }


def _distances(first: Tensor, second: Tensor, real: Tensor) -> dict[str, float]:
    """Return how far apart two sets are, by features in deviations of those of the ``real`` images."""
    from DiffusionCore.images.set_metrics import (
        frechet_distance,
        histogram_distance,
        kernel_distance,
        random_features,
        standardized,
    )

    scale = random_features(real)
    one, other = (standardized(random_features(images), scale) for images in (first, second))
    return {
        "frechet": frechet_distance(one, other),
        "kernel": kernel_distance(one, other),
        "intensities": histogram_distance(first, second),
    }


def _lines(report: dict[str, Any]) -> list[tuple[str, str]]:
    halves = report["distances_of_reference_halves"]
    lines = [("", f"{'images':>12}{'real':>12}")]
    for key, text in (
        ("frechet", "Frechet distance of fixed features (real: two halves)"),
        ("kernel", "kernel distance (MMD^2) of them"),
        ("intensities", "distance of the intensities"),
    ):
        lines.append((text, _pair(report["distances"][key], None if halves is None else halves[key])))
    similar, near = report["ms_ssim"], report["nearest"]
    lines.append(("MS-SSIM among them", _pair(similar["among_images"], similar["among_reference"])))
    for key, text in (("median", "nearest real image (real: nearest other), median"), ("least", "  least")):
        lines.append((text, _pair(near[key], near[f"{key}_within_reference"])))
    return lines


def _pair(first: float, second: float | None) -> str:
    return f"{first:>12.4f}" + (f"{'-':>12}" if second is None else f"{second:>12.4f}")


def _draw(path: Path, images: ImageFolder, reference: ImageFolder, report: dict[str, Any]) -> None:
    """Draw the first images above their nearest ones of the reference."""
    from DiffusionCore.images.mosaic import Row, draw_mosaic

    rows = report["nearest"]["images"][:_SHOWN]
    near = [reference.names.index(row["nearest"]) for row in rows]
    made, real = images.images[: len(rows), 0].float().numpy(), reference.images[near, 0].float().numpy()
    draw_mosaic(
        path,
        [
            Row("images", list(made), [row["image"] for row in rows]),
            Row("nearest real ones", list(real), [f"{row['nearest']}: {row['distance']:.3f}" for row in rows]),
        ],
    )
