"""Registrations of whole pairs: ours, and those of greedy, ANTs, elastix and ConvexAdam.

All are run and scored as by ``python -m DiffusionCore benchmark``, each in a process of its own. What counts is the
registration alone, without the start of the process and the files; the page says beside it what it reached on the
images as they lie there. The pairs: a made one, whose deformation is known, and those below ``--data`` at 2 mm.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from DiffusionCore.benchmark.cases import find_cases
from DiffusionCore.benchmark.contestant import OURS
from DiffusionCore.benchmark.peers import PEERS
from DiffusionCore.benchmark.race import Race, Start
from DiffusionCore.checks import DiffusionCoreError
from Testing.Benchmarks.made_pairs import shape_of, write_pair
from Testing.Benchmarks.options import SIZES, Options, in_words
from Testing.Benchmarks.race import Contest, Point, Spent

AFFINE, DEFORMABLE, GROWING = "affine registration", "deformable registration", "registration by voxels"
CONTESTANTS = {
    AFFINE: ("ours-affine", "greedy-affine", "ants-affine", "elastix-affine"),
    DEFORMABLE: ("ours", "ours-fast", "ours-accurate", "greedy", "ants", "elastix", "convexadam"),
    GROWING: ("ours", "greedy"),
}
SIDES = (96, 128, 160, 224, 320)
"""Of cubes with as many voxels as the made pairs have."""
SPACING = 2.0
"""mm of the real images, an axis that is coarser keeps its own; of brains at 1 mm greedy takes ten times as long."""
ROUNDS = {AFFINE: 3, DEFORMABLE: 3, GROWING: 2}
"""At most: a round takes minutes."""
REMEDY = "`pip install -c Testing/constraints-peers.txt .[peers]` in an environment whose python --peers-python names"

_SEARCH = """
import sys
from importlib.metadata import PackageNotFoundError, version
for package in sys.argv[1:]:
    try:
        version(package)
    except PackageNotFoundError:
        continue
    print(package)
"""


def contests(options: Options) -> Iterator[Contest]:
    """Yield the races on a small made pair, on growing ones, and on the real ones."""
    there = _installed(options.peers_python or Path(sys.executable))
    for start, size, points in _starts(options):
        for benchmark, point in points.items():
            names = CONTESTANTS[benchmark]
            calls = {name: _Entrant(start, name) for name in names if name in OURS or PEERS[name][1] in there}
            notes = {name: entrant.reached for name, entrant in calls.items()}
            missing = {name: REMEDY for name in names if name not in calls}
            yield Contest(benchmark, size, calls, point, ROUNDS[benchmark], notes, missing)


def _starts(options: Options) -> Iterator[tuple[Start, str, dict[str, Point | None]]]:
    """Yield pairs, the words for their size, and the benchmarks that they are for, with a place on the curve."""
    race = Race(device=options.device, python=str(options.peers_python or sys.executable))
    everything = dict.fromkeys((AFFINE, DEFORMABLE))
    shapes = tuple(map(shape_of, SIDES)) if options.sizes == SIZES else options.sizes
    for shape in shapes:
        k, j, i = shape
        points = everything if shape == shapes[0] else {}
        points = {**points, GROWING: Point("voxels", k * j * i)}
        if any(map(options.wants, points)):
            with tempfile.TemporaryDirectory(prefix="made-") as folder:
                write_pair(Path(folder) / "head", shape)
                with race.started(find_cases(Path(folder))[0]) as start:
                    yield start, f"made head, {in_words(shape)}", points
    if options.data is not None and any(map(options.wants, everything)):
        for case in find_cases(options.data):
            with replace(race, spacing=SPACING).started(case) as start:
                yield start, f"{case.data_set} {case.name}, {SPACING:g} mm", everything


def _installed(python: Path) -> set[str]:
    """Return which packages of the peers the interpreter ``python`` finds."""
    packages = sorted({package for _, package in PEERS.values()})
    done = subprocess.run([python, "-c", _SEARCH, *packages], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@dataclass(frozen=True)
class _Entrant:
    """A contestant on a pair: every call registers it, in a process of its own."""

    start: Start
    name: str

    def __call__(self) -> Spent:
        """Return what the registration took.

        Raises:
            DiffusionCoreError: it failed.
        """
        found = self.start.register(self.name, threads=torch.get_num_threads())
        if found["status"] != "ok":
            raise DiffusionCoreError(found["status"])
        return Spent(cpu=found["cpu"], wall=found["wall"])

    def reached(self) -> str:
        """Return in words what the last registration reached."""
        scores = self.start.score(self.name)
        dice, error = scores["dice"], scores["true_error"]
        words = [] if dice is None else [f"Dice {dice:.3f}"]
        words.append(f"{scores['percent_folded']:.2g} % folded")
        return ", ".join(words if error is None else [*words, f"{error:.2f} mm off"])
