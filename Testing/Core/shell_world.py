"""A small world for the tests of the shell: a pair of images on disk, and a registration that follows a script."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from DiffusionCore.__main__ import main
from DiffusionCore.affine.steps import Step
from DiffusionCore.commands import running
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.storage.transforms import write_transform
from DiffusionCore.storage.volumes import write_volume
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import voxel_centers
from DiffusionCore.transforms.resample import resample

TRUTH = Affine.exponential([0.3, -0.2, 0.5, 6, -4, 3, 0.05, -0.04, 0.02, 0, 0.03, 0], (5, 10, -3))
PHASES = (("center", 1.0, 0.0), ("pose", 0.6, 0.5), ("pose", 0.3, 0.8), ("polish", 0.0, 1.0))


def oblique(size, spacing, center, angle):
    axes = Affine.exponential([0.3 * angle, angle, -0.5 * angle, 0, 0, 0]).matrix[:3, :3].numpy()
    origin = np.array(center) - axes @ ((np.array(size) - 1) / 2 * spacing)
    return Grid.from_matrix(np.block([[axes * spacing, origin[:, None]], [np.zeros((1, 3)), 1]]), size)


FIXED_GRID = oblique((20, 24, 17), (3.0, 2.5, 4.0), (5, 10, -3), 0.2)
MOVED_CENTER = TRUTH.map(voxel_centers(FIXED_GRID)).mean((0, 1, 2)).tolist()
MOVING_GRID = oblique((22, 18, 26), (3.0, 4.5, 2.8), MOVED_CENTER, -0.3)


def blobs(points):
    """Return the brightness and the labels of a lopsided body at RAS ``points`` (..., 3)."""
    x, y, z = (np.moveaxis(points, -1, 0) - np.array([5, 10, -3])[:, None, None, None]) / 20
    body = x**2 + y**2 + (0.9 * z) ** 2 < 1
    organ = (x - 0.4) ** 2 + (y + 0.2) ** 2 + z**2 < 0.12
    brightness = body * (400 + 150 * x - 100 * y * z) + organ * 300
    return brightness.round().astype(np.int16), (body + organ.astype(int)).astype(np.uint8)


@dataclass
class World:
    """Where the files lie."""

    folder: Path

    def __getattr__(self, name):
        return self.folder / f"{name}.nii.gz"

    @property
    def output(self):
        return self.folder / "out"

    def write(self, name, values, grid=FIXED_GRID):
        path = self.folder / name
        write_volume(path, Volume(np.ascontiguousarray(values), grid))
        return path

    def register(self, *more, fixed=None, moving=None):
        """Run the command register and return its exit code."""
        files = ["--fixed", fixed or self.fixed, "--moving", moving or self.moving, "--output", self.output]
        return main(["register", *map(str, [*files, *more])])


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    fixed, labels = blobs(voxel_centers(FIXED_GRID).numpy())
    moved = TRUTH.inverse().map(voxel_centers(MOVING_GRID)).numpy()
    moving, moving_labels = blobs(moved)
    made.write("fixed.nii.gz", fixed)
    made.write("fixed_labels.nii.gz", labels)
    made.write("moving.nii.gz", moving, MOVING_GRID)
    made.write("moving_labels.nii.gz", moving_labels, MOVING_GRID)
    write_transform(tmp_path / "truth.h5", TRUTH)
    write_transform(tmp_path / "far.tfm", Affine.translation((900, 0, 0)))
    return made


@pytest.fixture
def script(monkeypatch):
    """Let ``register`` of the shell follow PHASES towards TRUTH; no picture is drawn.

    The fixture holds the calls, an ``after`` hook, and the true ``draw``.
    """
    played = SimpleNamespace(calls=[], after=lambda step: None, draw=running.draw_film_strip)

    def register(fixed, moving, settings, *, initial_transform, seed, device, on_step, should_stop):
        played.calls.append(SimpleNamespace(settings=settings, initial=initial_transform, seed=seed, device=device))
        center = fixed.grid.map((0, 0, 0), Frame.UNIT, Frame.RAS)
        steps, stopped = [], False
        for index, (phase, time, share) in enumerate(PHASES):
            transform = TRUTH.fraction(share, center)
            steps.append(Step(index, phase, time, transform, {"mutual_information": math.sqrt(share)}))
            on_step(steps[-1])
            played.after(steps[-1])
            if stopped := should_stop():
                break
        warped = resample(moving, fixed.grid, steps[-1].transform)
        times = {"center": 0.1, "pose": 0.2, "polish": 0.3}
        return SimpleNamespace(transform=steps[-1].transform, steps=steps, warped=warped, times=times, stopped=stopped)

    monkeypatch.setattr(running, "register", register)
    monkeypatch.setattr(running, "draw_film_strip", lambda path, *_: path.touch())
    return played


def moved_header(volume, shift):
    """Return ``volume`` with its origin moved by ``shift`` mm."""
    return Volume(volume.values, replace(volume.grid, origin=tuple(np.array(volume.grid.origin) + shift)))
