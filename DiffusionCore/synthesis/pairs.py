"""Pairs of images with the exact deformation between them, to train or to test a registration on.

::

    moving = I psi          fixed = I psi phi          fixed(x) = moving(phi(x))

psi and phi are random deformations of one case I; both images are resampled once, from the case itself, and phi, which
takes points of the fixed image to points of the moving one, is known. Source: Zheng et al., DRDM (Medical Image
Analysis 110, 2026), algorithm 4.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from DiffusionCore.storage.files import replacing
from DiffusionCore.storage.transforms import write_transform
from DiffusionCore.storage.volumes import write_volume
from DiffusionCore.synthesis.checks import SampleChecks
from DiffusionCore.synthesis.subject import Subject, variant_name
from DiffusionCore.synthesis.synthesizer import Synthesizer
from DiffusionCore.transforms import Chain, Displacement

_COLUMNS = ("name", "fixed", "moving", "fixed_segmentation", "moving_segmentation", "truth")
_TRUTH = "truth.h5"
_ENDING = ".nii.gz"


@dataclass(frozen=True, eq=False)
class RegistrationPair:
    """Two views of a case, and ``truth``: points of ``fixed`` to points of ``moving``, RAS mm.

    ``index`` is its number among the pairs of its seed; ``checks`` are those of the truth; ``redrawn`` says why earlier
    draws were refused.
    """

    index: int
    fixed: Subject
    moving: Subject
    truth: Displacement
    checks: SampleChecks
    redrawn: tuple[str, ...]


def registration_pair(synthesizer: Synthesizer, index: int, *, seed: int = 0) -> RegistrationPair:
    """Return pair ``index`` of ``seed``: made of the variants 2 index and 2 index + 1.

    Raises:
        SampleRefusedError: no draw of one of them passed its checks.
    """
    first = synthesizer.variant(2 * index, seed=seed)
    second = synthesizer.variant(2 * index + 1, seed=seed)
    both = Displacement.of(Chain.of(first.transform, second.field), second.field.grid)
    redrawn = first.redrawn + second.redrawn
    return RegistrationPair(index, synthesizer.deformed(both), first.subject, second.field, second.checks, redrawn)


def write_pairs(synthesizer: Synthesizer, folder: Path, count: int, *, seed: int = 0) -> Iterator[int]:
    """Write ``count`` pairs of one case into ``folder``, and yield the number of each as it is there.

    Pair NNNN has fixed, moving, their first segmentations (.nii.gz) and truth.h5 in a folder of its own; pairs.csv
    lists all that are there as the command evaluate reads it. A pair whose truth is there is not made again. For
    several cases and processes: ``make_set`` with the layout "registration".

    Raises:
        DiffusionCoreError: a pair cannot be made or written.
    """
    for index in range(count):
        place = folder / variant_name(synthesizer.subject.name, index)
        if not (place / _TRUTH).exists():
            write_pair(place, registration_pair(synthesizer, index, seed=seed))
        yield index
    list_pairs(folder)


def write_pair(place: Path, pair: RegistrationPair) -> list[str]:
    """Write ``pair`` into the folder ``place``, the truth last, and return the names of its files."""
    place.mkdir(parents=True, exist_ok=True)
    names = []
    for name, subject in (("fixed", pair.fixed), ("moving", pair.moving)):
        volumes = [(name, subject.images[0])]
        volumes += [(f"{name}_segmentation", each.volume) for each in subject.segmentations[:1]]
        for stem, volume in volumes:
            write_volume(place / f"{stem}{_ENDING}", volume)
            names.append(f"{stem}{_ENDING}")
    write_transform(place / _TRUTH, pair.truth)
    return [*names, _TRUTH]


def list_pairs(folder: Path) -> None:
    """Write pairs.csv: all pairs of ``folder`` whose truth is there, by their numbers."""
    rows = []
    for place in sorted((path.parent for path in folder.glob(f"*/{_TRUTH}")), key=_number):
        files = [f"{place.name}/{name}{_ENDING}" for name in _COLUMNS[1:-1]]
        rows.append(
            [place.name, *(file if (folder / file).exists() else "" for file in files), f"{place.name}/{_TRUTH}"]
        )
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_COLUMNS, *rows])
    with replacing(folder / "pairs.csv") as unfinished:
        unfinished.write_text(text.getvalue(), encoding="utf-8")


def _number(place: Path) -> tuple[int, str]:
    number = place.name.rpartition("_")[2]
    return int(number) if number.isdecimal() else 0, place.name
