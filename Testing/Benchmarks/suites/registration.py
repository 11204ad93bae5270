"""Registrations of whole pairs: ours, and those of greedy, ANTs, elastix and ConvexAdam.

All are run and scored as by ``python -m DiffusionCore benchmark``, each in a process of its own. What counts is the
registration alone, without the start of the process and the files; the page says beside it what it reached on the
images as they lie there. The pairs: a made one, whose deformation is known, and those below ``--data`` at 2 mm.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from DiffusionCore.benchmark.cases import find_cases
from DiffusionCore.benchmark.contestant import OURS
from DiffusionCore.benchmark.race import ABSENT, Race, Start
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
"""mm of the real images, an axis that is coarser keeps its own; at 1 mm a round takes the peers half an hour."""
ROUNDS = 3
"""At most: a round takes minutes."""
REMEDY = "`pip install -c Testing/constraints-peers.txt .[peers]`, in an environment that `--peers-python` names"


def contests(options: Options) -> Iterator[Contest]:
    """Yield the races on a small made pair, on growing ones, and on the real ones."""
    missing: dict[str, str] = {}
    for start, size, points in _starts(options):
        for benchmark, point in points.items():
            if options.wants(benchmark):
                yield _contest(benchmark, size, point, start, options, missing)


def _starts(options: Options) -> Iterator[tuple[Start, str, dict[str, Point | None]]]:
    """Yield pairs, the words for their size, and the benchmarks that they are for, with a place on the curve."""
    python = {} if options.peers_python is None else {"python": str(options.peers_python)}
    everything: dict[str, Point | None] = dict.fromkeys((AFFINE, DEFORMABLE))
    shapes = tuple(map(shape_of, SIDES)) if options.sizes == SIZES else options.sizes
    for shape in shapes:
        k, j, i = shape
        points = (everything if shape == shapes[0] else {}) | {GROWING: Point("voxels", k * j * i)}
        if any(map(options.wants, points)):
            with tempfile.TemporaryDirectory(prefix="made-") as folder:
                write_pair(Path(folder) / "head", shape)
                with Race(threads=options.threads[0], **python).started(find_cases(Path(folder))[0]) as start:
                    yield start, f"made head, {in_words(shape)}", points
    if options.data is None or not any(map(options.wants, everything)):
        return
    race = Race(SPACING, threads=options.threads[0], **python)
    for case in find_cases(options.data):
        with race.started(case) as start:
            yield start, f"{case.data_set} {case.name}, {SPACING:g} mm", everything


def _contest(
    benchmark: str, size: str, point: Point | None, start: Start, options: Options, missing: dict[str, str]
) -> Contest:
    """Return the race of all who can register the pair; the others go to ``missing``."""
    calls = {}
    for name in CONTESTANTS[benchmark]:
        if name in options.without or name.removesuffix("-affine") in missing:
            continue
        entrant = _Entrant(start, name)
        if entrant.status == ABSENT:
            missing[name.removesuffix("-affine")] = REMEDY
        elif entrant.status != "ok" and name not in OURS:
            missing[f"{name} on {size}"] = entrant.status
        else:
            calls[name] = entrant
    notes = {name: entrant.reached for name, entrant in calls.items()}
    return Contest(benchmark, size, calls, point, min(options.rounds, ROUNDS), notes, missing)


class _Entrant:
    """A contestant on a pair: every call registers it in a process of its own.

    The first registration, made at once, shows whether it can, and is that of the round which does not count.
    """

    def __init__(self, start: Start, name: str) -> None:
        self.start, self.name = start, name
        self._first: dict[str, Any] | None = start.register(name)
        self.status: str = self._first["status"]

    def __call__(self) -> Spent:
        """Return what the registration took.

        Raises:
            DiffusionCoreError: it failed.
        """
        found, self._first = self._first, None
        if found is None:
            found = self.start.register(self.name, threads=torch.get_num_threads())
        if found["status"] != "ok":
            raise DiffusionCoreError(f"{self.name}: {found['status']}")
        return Spent(cpu=found["cpu"], wall=found["wall"])

    def reached(self) -> str:
        """Return in words what the last registration reached."""
        scores = self.start.score(self.name)
        dice, error = scores["dice"], scores["true_error"]
        words = [] if dice is None else [f"Dice {dice:.3f}"]
        words.append(f"{scores['percent_folded']:.2g} % folded")
        return ", ".join(words if error is None else [*words, f"{error:.2f} mm off"])
