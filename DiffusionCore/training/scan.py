"""A look at training images before a training: what is there, and what is wrong with each file; no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.space import Grid
from DiffusionCore.training.cases import Case, find_cases


@dataclass(frozen=True)
class Look:
    """What was seen of an image.

    Attributes:
        case: the image.
        grid: its voxels; None where it cannot be used.
        labels: the values in its label map but 0, increasing.
        problem: a sentence about why it cannot be used; empty if it can.
    """

    case: Case
    grid: Grid | None = None
    labels: tuple[int, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Scan:
    """What a place of training images holds: all ``looks``, in order."""

    looks: tuple[Look, ...]

    @property
    def cases(self) -> tuple[Case, ...]:
        """The images that can be used."""
        return tuple(look.case for look in self.looks if not look.problem)

    @property
    def problems(self) -> tuple[Look, ...]:
        """The others, which a training leaves out."""
        return tuple(look for look in self.looks if look.problem)

    @property
    def labels(self) -> tuple[int, ...]:
        """The values in all label maps but 0, increasing."""
        return tuple(sorted({value for look in self.looks for value in look.labels}))

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


def scan(place: Path, on_look: Callable[[Look, int], None] = lambda look, total: None) -> Scan:
    """Read all that ``place``, a folder or a manifest (see ``cases``), names; ``on_look`` hears (look, images in all).

    A bad file is a problem of the scan, never an error.

    Raises:
        StorageError: there is no such place, or the manifest cannot be read.
    """
    found = find_cases(place)
    looks = []
    for case in found:
        looks.append(look_at(case))
        on_look(looks[-1], len(found))
    return Scan(tuple(looks))


def look_at(case: Case) -> Look:
    """Read ``case``, and return what it is."""
    try:
        image, labels = case.read()
    except DiffusionCoreError as error:
        return Look(case, problem=str(error))
    values = () if labels is None else tuple(int(value) for value in np.unique(labels.values) if value)
    return Look(case, image.grid, values)


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
