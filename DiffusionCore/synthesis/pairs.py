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
from DiffusionCore.synthesis.subject import Subject
from DiffusionCore.synthesis.synthesizer import Synthesizer
from DiffusionCore.transforms import Chain, Displacement

_COLUMNS = ("name", "fixed", "moving", "fixed_segmentation", "moving_segmentation", "truth")


@dataclass(frozen=True, eq=False)
class RegistrationPair:
    """Two views of a case, and ``truth``: points of ``fixed`` to points of ``moving``, RAS mm."""

    fixed: Subject
    moving: Subject
    truth: Displacement


def registration_pair(synthesizer: Synthesizer, index: int, *, seed: int = 0) -> RegistrationPair:
    """Return pair ``index`` of ``seed``: made of the variants 2 index and 2 index + 1.

    Raises:
        SampleRefusedError: no draw of one of them passed its checks.
    """
    first = synthesizer.variant(2 * index, seed=seed)
    second = synthesizer.variant(2 * index + 1, seed=seed)
    both = Displacement.of(Chain.of(first.transform, second.field), second.field.grid)
    return RegistrationPair(synthesizer.deformed(both), first.subject, second.field)


def write_pairs(synthesizer: Synthesizer, folder: Path, count: int, *, seed: int = 0) -> Iterator[int]:
    """Write ``count`` pairs into ``folder``, and yield the number of each as it is there.

    Pair NNNN has fixed, moving, their first segmentations (.nii.gz) and truth.h5 in a folder of its own; pairs.csv
    lists them as the command evaluate reads it. A pair whose truth is there, which is written last, is not made again.

    Raises:
        DiffusionCoreError: a pair cannot be made or written.
    """
    rows = []
    for index in range(count):
        place = folder / f"{synthesizer.subject.name}_{index:04d}"
        place.mkdir(parents=True, exist_ok=True)
        labeled = bool(synthesizer.subject.segmentations)
        if not (place / "truth.h5").exists():
            pair = registration_pair(synthesizer, index, seed=seed)
            for name, subject in (("fixed", pair.fixed), ("moving", pair.moving)):
                write_volume(place / f"{name}.nii.gz", subject.images[0])
                if labeled:
                    write_volume(place / f"{name}_segmentation.nii.gz", subject.segmentations[0].volume)
            write_transform(place / "truth.h5", pair.truth)
        files = [f"{place.name}/{name}.nii.gz" for name in _COLUMNS[1 : 5 if labeled else 3]]
        rows.append([place.name, *files, *([] if labeled else ["", ""]), f"{place.name}/truth.h5"])
        yield index
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_COLUMNS, *rows])
    with replacing(folder / "pairs.csv") as unfinished:
        unfinished.write_text(text.getvalue(), encoding="utf-8")
