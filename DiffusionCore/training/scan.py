"""A look at training images before a training: what is there, and what is wrong with each file; no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.training.cases import Case, find_cases


@dataclass(frozen=True)
class Problem:
    """A file that cannot be used, and a sentence about why."""

    path: Path
    text: str


@dataclass(frozen=True)
class Scan:
    """What a place of training images holds.

    Attributes:
        cases: the images that can be used.
        problems: the others, which a training leaves out.
        labels: the values in all label maps but 0, increasing.
    """

    cases: tuple[Case, ...]
    problems: tuple[Problem, ...]
    labels: tuple[int, ...]

    @property
    def subjects(self) -> tuple[str, ...]:
        """All subjects, in order."""
        return tuple(sorted({case.subject for case in self.cases}))

    @property
    def modalities(self) -> tuple[str, ...]:
        """All modalities, in order."""
        return tuple(sorted({case.modality for case in self.cases} - {""}))

    def summary(self) -> str:
        """Return a line that says how much there is."""
        labeled = sum(case.labels is not None for case in self.cases)
        parts = [
            f"{len(self.cases)} images of {len(self.subjects)} subjects",
            f"{labeled} with labels ({len(self.labels)} values)" if labeled else "none with labels",
            *([f"modalities {', '.join(self.modalities)}"] if self.modalities else []),
            *([f"{len(self.problems)} left out"] if self.problems else []),
        ]
        return ", ".join(parts)


def scan(place: Path, on_file: Callable[[int, int], None] = lambda done, total: None) -> Scan:
    """Read all that ``place``, a folder or a manifest (see ``cases``), names; ``on_file`` hears (done, total).

    A bad file is a problem of the scan, never an error.

    Raises:
        StorageError: there is no such place, or the manifest cannot be read.
    """
    found = find_cases(place)
    good, problems, values = [], [], set()
    for number, case in enumerate(found, 1):
        try:
            _, labels = case.read()
        except DiffusionCoreError as error:
            problems.append(Problem(case.image, str(error)))
        else:
            good.append(case)
            values |= set() if labels is None else {int(value) for value in np.unique(labels.values)}
        on_file(number, len(found))
    return Scan(tuple(good), tuple(problems), tuple(sorted(values - {0})))


def held_out(cases: Sequence[Case], share: float, *, seed: int = 0) -> list[bool]:
    """Return of each case whether it is kept for checks: about ``share`` of the subjects, all images of each.

    Subjects that a pair joins count as one. Who is kept depends on ``seed`` and the names alone, and with a share above
    0 at least one is, and one is not, if there are two.
    """
    families = _families(cases)
    order = sorted(set(families.values()), key=lambda family: hashlib.sha256(f"{seed} {family}".encode()).digest())
    count = min(max(round(share * len(order)), 1), len(order) - 1) if share else 0
    kept = set(order[:count])
    return [families[case.subject] in kept for case in cases]


def _families(cases: Sequence[Case]) -> dict[str, str]:
    """Return the least subject of those that pairs join, for each subject."""
    families = {case.subject: case.subject for case in cases}
    pairs: dict[str, set[str]] = {}
    for case in cases:
        if case.pair:
            pairs.setdefault(case.pair, set()).add(case.subject)
    for subjects in pairs.values():
        joined = {families[subject] for subject in subjects}
        families = {subject: min(joined) if family in joined else family for subject, family in families.items()}
    return families
