"""A small world for the tests of image diffusion: a folder of labelled balls on oblique grids."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from DiffusionCore.images.frame import ImageFrame, Intensities
from DiffusionCore.networks.image_denoiser import ImageDenoiser, ImageDenoiserConfig
from DiffusionCore.space import Grid, Volume
from DiffusionCore.storage.checkpoint import Checkpoint, save_checkpoint
from DiffusionCore.storage.volumes import write_volume
from DiffusionCore.training.image import ImageRecipeConfig
from DiffusionCore.training.image_folder import ImageFolder
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import voxel_centers

LABELS = (0, 3, 40)
NETWORK = ImageDenoiserConfig(2, (8, 12), embedding=16, labels=3, classes=1)
FRAME = ImageFrame((14, 16, 18), 4.0, Intensities(0.5, 0.4, 1.6), LABELS, ("late",))


def ball(number: int) -> tuple[Volume, Volume]:
    """Return the image and the labels of ball ``number``: another size, place and direction each, brighter right."""
    angle = 0.15 * number
    axes = Affine.exponential([0.3 * angle, angle, -0.5 * angle, 0, 0, 0]).matrix[:3, :3].numpy()
    size, spacing, center = (30 + number, 28, 26), np.array([3.0, 3.2, 3.5]), np.array([50 * number, -80, 40])
    origin = center - axes @ ((np.array(size) - 1) / 2 * spacing)
    grid = Grid.from_matrix(np.block([[axes * spacing, origin[:, None]], [np.zeros((1, 3)), 1]]), size)
    points = voxel_centers(grid).numpy() - center
    inside, right = (points**2).sum(-1) < (24 + number) ** 2, points[..., 0] > 0
    image = np.where(inside, 100 + 50 * right, 0).astype(np.int16)
    return Volume(image, grid), Volume(np.where(inside, np.where(right, 40, 3), 0).astype(np.uint8), grid)


def write_image_model(path: Path) -> Path:
    """Write the weights of a network whose last layers are not zero any more, though it has learned nothing."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = ImageDenoiser(NETWORK)
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
    config = ImageRecipeConfig(network=NETWORK, frame=FRAME)
    save_checkpoint(path, Checkpoint("image", asdict(config), network.state_dict(), {}), half=True)
    return path


def write_balls(folder: Path, count: int = 3) -> Path:
    """Write ``count`` balls, the last one without labels and in the class "late"."""
    (folder / "late").mkdir(parents=True)
    for number in range(count):
        last = number == count - 1
        image, labels = ball(number)
        write_volume((folder / "late" if last else folder) / f"ball_{number}.nii.gz", image)
        if not last:
            write_volume(folder / f"ball_{number}_seg.nii.gz", labels)
    return folder


def small_images(count: int = 3, size: int = 12) -> ImageFolder:
    """Return images that show their random labels, one with a class, that were not read from any folder."""
    generator = torch.Generator().manual_seed(0)
    frame = ImageFrame((size, size + 4, size), 8.0, Intensities(0.5, 0.41, 1.0), LABELS, ("late",))
    labels = torch.randint(3, (count, size, size + 4, size), generator=generator).short()
    classes = torch.tensor([0, 0, 1])[:count]
    return ImageFolder(frame, ("a", "b", "c")[:count], 0.5 * labels[:, None].half(), labels, classes)
