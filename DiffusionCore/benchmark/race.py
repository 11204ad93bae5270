"""Let every contestant register a pair, one after the other, and score all of them by the same code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

import DiffusionCore
from DiffusionCore.benchmark.cases import Case
from DiffusionCore.benchmark.contestant import COST, NOT_INSTALLED, OURS, TRANSFORM
from DiffusionCore.benchmark.contrasts import Contrast, shown_in
from DiffusionCore.benchmark.scores import score
from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.report import Pair
from DiffusionCore.space import Volume
from DiffusionCore.storage.geometry import image_on
from DiffusionCore.storage.transforms import read_transform
from DiffusionCore.storage.volumes import write_volume
from DiffusionCore.transforms import Affine
from DiffusionCore.transforms.resample import resample

FIXED, MOVING = "fixed.nii.gz", "moving.nii.gz"
_SIGMA = 0.4  # of the new spacing, before an image is made coarser
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")


@dataclass(frozen=True)
class Race:
    """How the contestants run.

    Attributes:
        spacing: mm of the images that all of them get; None: as they are. Scored is always as they are.
        contrast: in which the moving image is shown to all of them, and scored.
        threads: that each may use.
        device: of ours: "cpu", "cuda" or "auto"; the peers have none but the CPU.
        minutes: after which one is given up.
        python: the interpreter of the peers; the packages of some contradict those of others, and ours.
    """

    spacing: float | None = None
    contrast: Contrast = Contrast.SAME
    threads: int = 1
    device: str = "auto"
    minutes: float = 30
    python: str = sys.executable

    def run(self, case: Case, contestants: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield a row for each contestant: what it cost and what it reached, or in ``status`` why it did not.

        ``load`` is the mean number of processes that wanted a core in the minute before.
        """
        named = {
            "data_set": case.data_set,
            "pair": case.name,
            "contrast": self.contrast.value,
            "spacing": self.spacing,
        }
        with ExitStack() as stack:
            try:
                start = stack.enter_context(self.started(case))
            except DiffusionCoreError as error:
                yield from ({**named, "contestant": name, "status": f"not usable: {error}"} for name in contestants)
                return
            for name in contestants:
                row = {**named, "contestant": name, "load": _load(), **start.register(name)}
                yield {**row, **start.score(name)} if row["status"] == "ok" else row

    @contextmanager
    def started(self, case: Case) -> Iterator[Start]:
        """Give the images of ``case`` to the contestants, in a folder that is gone afterwards.

        Raises:
            DiffusionCoreError: the pair cannot be used.
        """
        pair = case.pair()
        pair = replace(pair, moving=shown_in(pair.moving, self.contrast))
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            write_volume(Path(folder) / FIXED, _at(pair.fixed, self.spacing))
            write_volume(Path(folder) / MOVING, _at(pair.moving, self.spacing))
            other = case.other_contrast or self.contrast is not Contrast.SAME
            yield Start(self, pair, Path(folder), other)


@dataclass(frozen=True)
class Start:
    """A pair as the contestants get it.

    Attributes:
        race: how they run.
        pair: what is scored.
        folder: where the images that they get lie, and the results of each.
        other_contrast: whether they are told that the images are of different kinds.
    """

    race: Race
    pair: Pair
    folder: Path
    other_contrast: bool

    def register(self, name: str, *, threads: int | None = None) -> dict[str, Any]:
        """Let ``name`` register the pair; return what it cost, or in ``status`` why it did not.

        ``threads`` that it may use, instead of those of the race.
        """
        race, own = self.race, self.folder / name
        threads = threads or race.threads
        own.mkdir(exist_ok=True)
        python = sys.executable if name in OURS else race.python
        images = [self.folder / FIXED, self.folder / MOVING]
        command = [python, "-m", "DiffusionCore.benchmark.contestant", name, *images, own]
        command += ["--threads", str(threads), "--device", race.device]
        command += ["--other-contrast"] if self.other_contrast else []
        root = str(Path(DiffusionCore.__file__).parent.parent)
        environment = {**os.environ, **dict.fromkeys(_THREADS, str(threads)), "PYTHONPATH": root}
        try:
            done = subprocess.run(
                list(map(str, command)),
                env=environment,
                cwd=own,  # some tools leave files where they stand
                capture_output=True,
                text=True,
                timeout=60 * race.minutes,
            )
        except subprocess.TimeoutExpired:
            return {"status": f"given up after {race.minutes:g} minutes"}
        except OSError as error:
            return {"status": f"'{python}' does not run: {error.strerror}"}
        if done.returncode == NOT_INSTALLED:
            return {"status": "not installed"}
        if done.returncode or not (own / TRANSFORM).exists():
            last = (done.stderr.strip() or done.stdout.strip() or "no word").splitlines()[-1]
            return {"status": f"failed (exit code {done.returncode}): {last[:200]}"}
        return {"status": "ok", **json.loads((own / COST).read_text(encoding="utf-8"))}

    def score(self, name: str) -> dict[str, Any]:
        """Return how the last registration by ``name`` did."""
        return score(self.pair, read_transform(self.folder / name / TRANSFORM))


def _load() -> float | None:
    """Return the mean number of running processes over the last minute; None where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _at(volume: Volume, spacing: float | None) -> Volume:
    """Return ``volume`` in float32 at ``spacing`` mm (an axis that is coarser keeps its own), smoothed before."""
    values = np.ascontiguousarray(volume.values, dtype=np.float32)
    if spacing is None:
        return replace(volume, values=values)
    x, y, z = (max(spacing, own) for own in volume.grid.spacing)
    grid = volume.grid.with_spacing((x, y, z))
    if grid.spacing == volume.grid.spacing:
        return replace(volume, values=values)
    own = volume.grid.spacing
    sigmas = [_SIGMA * new if new > old else 0.01 * old for new, old in zip(grid.spacing, own, strict=True)]
    smoothed = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(image_on(values, volume.grid), sigmas))
    return resample(Volume(smoothed, volume.grid), grid, Affine.identity(), fill=float(values.min()))
