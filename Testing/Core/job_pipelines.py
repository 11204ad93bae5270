"""Pipelines for the tests of jobs: each is named to a job as "job_pipelines:name" and misbehaves in its own way."""

import itertools
import os
import signal
import subprocess
import sys
import time

import numpy as np
import torch

from DiffusionCore.affine.steps import Step
from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.space import Grid
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.displacement import Displacement
from DiffusionCore.transforms.velocity import Velocity


class Pipeline:
    """Yields what ``make(settings)`` yields: (phase, transform) pairs; the time falls evenly."""

    def __init__(self, make, settings):
        self.make, self.settings = make, settings

    def steps(self, fixed, moving, *, initial, generator, after=None):
        first = 0 if after is None else after.index + 1
        chance = torch.rand(3, generator=generator, dtype=torch.float64)
        for number, (phase, transform) in enumerate(self.make(self.settings, fixed, chance), start=first):
            yield Step(number, phase, 1 / (1 + number), transform, {"number": float(number)})


def pipeline(make):
    """Make a factory out of ``make(settings, fixed, chance)``."""
    return lambda settings, device: Pipeline(make, settings)


def shift(number, chance=(0.0, 0.0, 0.0)):
    return Affine.translation([float(number), 0.0, 0.0]) @ Affine.translation(np.asarray(chance))


@pipeline
def shifts(settings, fixed, chance):
    """``count`` translations by 0, 1, 2, ... mm and a bit of chance, ``pause`` seconds apart."""
    for number in range(settings.get("count", 3)):
        time.sleep(settings.get("pause", 0))
        yield "shift", shift(number, settings.get("chance", 0) * chance.numpy())


def vectors(grid, number):
    """Return the field number ``number``: every voxel tells where it is and which field it belongs to."""
    values = torch.arange(int(np.prod(grid.shape)), dtype=torch.float32).view(grid.shape) % 97 / 97
    return torch.stack([values + number, -values, values * 2])


@pipeline
def fields(settings, fixed, chance):
    """``count`` displacement fields on a cube of ``side`` voxels that grows by ``growth``, ``pause`` seconds apart.

    With ``turned``, an affine map acts after each of them but the first, which is that map alone.
    """
    turn = Affine.exponential((0.3, -0.2, 0.4, 3, -2, 5)) if settings.get("turned") else None
    for number in range(settings.get("count", 3)):
        time.sleep(settings.get("pause", 0))
        side = settings.get("side", 96) + number * settings.get("growth", 0)
        grid = Grid((side, side, side), (2.0, 2.0, 2.0), (float(number), 0.0, 0.0))
        make = Velocity if settings.get("velocity") else Displacement
        found = make(vectors(grid, number), grid)
        yield "field", found if turn is None else turn @ found if number else turn


@pipeline
def endless(settings, fixed, chance):
    """Steps without an end."""
    yield from ((f"step {n}", shift(n)) for n in itertools.count())


@pipeline
def hanging(settings, fixed, chance):
    """After ``count`` steps one that never ends."""
    yield from ((f"step {n}", shift(n)) for n in range(settings.get("count", 2)))
    time.sleep(3600)


@pipeline
def crashing(settings, fixed, chance):
    """After ``count`` steps the process dies in the way of ``how``."""
    yield from ((f"step {n}", shift(n)) for n in range(settings.get("count", 2)))
    match settings.get("how", "error"):
        case "error":
            raise ValueError("a secret of the program")
        case "known":
            raise DiffusionCoreError("The images are upside down. Turn them.")
        case "memory":
            raise MemoryError
        case "torch memory":
            torch.empty(2**60)
        case "gpu memory":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        case "exit":
            sys.exit(3)
        case "vanish":
            os._exit(0)
        case "segmentation fault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)


@pipeline
def chatty(settings, fixed, chance):
    """Prints through Python, through the C level and in binary, between and within lines."""
    sys.stdout.write("from Python\n")
    os.write(1, b'{"@": "Finished", "of": {"stopped": false}}\n\xff\xfe rubbish \x00\n')
    yield "shift", shift(0)
    subprocess.run(["echo", "from a child"], check=True)
    yield "shift", shift(1)


@pipeline
def restless(settings, fixed, chance):
    """Starts a child that would run on, says its number, and hangs."""
    child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(3600)"])
    sys.stdout.write(f"child {child.pid}\n")
    yield "shift", shift(0)
    time.sleep(3600)


def unknown_settings(settings, device):
    raise DiffusionCoreError(f"The settings are {settings} on {device}.")
