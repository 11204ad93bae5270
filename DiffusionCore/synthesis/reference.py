"""The volumes of the labels of real cases, kept in a file: what variants are judged by.

A case that is among them is judged by the others, as it would else be its own witness.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from DiffusionCore.checks import ConfigError, StorageError, VolumeError
from DiffusionCore.config import from_json, to_json
from DiffusionCore.models import find_model
from DiffusionCore.storage.files import replacing, require_file
from DiffusionCore.storage.label_names import LabelName
from DiffusionCore.synthesis.inputs import SubjectFiles
from DiffusionCore.synthesis.labels import label_volumes
from DiffusionCore.synthesis.plausibility import Scores, VolumeReference

SUFFIX = ".reference.json"  # behind the name of the weights of a model
_FEWEST = 4  # cases, so that three are left without one
_SIDES = {"left": "right", "lh": "rh", "l": "r"}


@dataclass(frozen=True)
class RealVolumes:
    """What was measured of real cases.

    Attributes:
        cases: the voxels of every label of each case; the labels are text, as in JSON.
        pairs: labels of the left and of the right side.

    Raises:
        ValueError: there are fewer than 4 cases.
    """

    cases: tuple[dict[str, int], ...]
    pairs: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if len(self.cases) < _FEWEST:
            raise ValueError(f"A reference needs at least {_FEWEST} cases, got {len(self.cases)}")

    def for_case(self, volumes: Mapping[int, int]) -> VolumeReference:
        """Return the reference for a case with these ``volumes`` of its labels, voxels: of all the others.

        A case is known again by its volumes, whatever it is called. Only the labels that all have are compared.

        Raises:
            VolumeError: no label of the case is in all the others.
        """
        measured = [{int(label): count for label, count in case.items()} for case in self.cases]
        common = set(volumes).intersection(*measured)
        if not common:
            raise VolumeError(
                f"No label of the case ({', '.join(map(str, list(volumes)[:5]))}, ...) is in all cases of the "
                "reference. Choose a reference of cases with the same labels, or none."
            )
        others = [case for case in measured if case != volumes]
        return VolumeReference.of([{label: case[label] for label in common} for case in others], self.pairs)

    def left_out(self) -> list[Scores]:
        """Return the scores of each case against the others."""
        measured = [{int(label): count for label, count in case.items()} for case in self.cases]
        return [self.for_case(case).scores(case) for case in measured]


def measure_cases(files: Sequence[SubjectFiles], pairs: Iterable[tuple[int, int]] | None = None) -> RealVolumes:
    """Return the volumes of the labels of the first segmentation of each case.

    Args:
        files: the cases.
        pairs: labels of the left and of the right side; by default those whose names say so (``sides_of``).

    Raises:
        DiffusionCoreError: a case cannot be read; there are too few, or no label is in all.
    """
    volumes, names = [], ()
    for each in files:
        segmentation = each.read().segmentations[0]
        volumes.append({str(label): count for label, count in label_volumes(segmentation.volume.values).items()})
        names = names or segmentation.names
    try:
        real = RealVolumes(tuple(volumes), tuple(sides_of(names) if pairs is None else pairs))
        real.for_case({int(label): count for label, count in volumes[0].items()})
    except (ValueError, VolumeError) as error:
        raise VolumeError(f"These cases make no reference: {error}.") from error
    return real


def sides_of(names: Iterable[LabelName]) -> list[tuple[int, int]]:
    """Return the labels (left, right) whose names differ in left and right alone; also lh and rh, l and r."""
    values = {each.name.lower(): each.value for each in names}
    found = []
    for name, value in values.items():
        for left, right in _SIDES.items():
            other = re.sub(rf"(?<![a-z]){left}(?![a-z])", right, name)
            if other != name and other in values:
                found.append((value, values[other]))
                break
    return found


def write_reference(path: Path, real: RealVolumes) -> None:
    """Write ``real`` as JSON."""
    with replacing(path) as unfinished:
        unfinished.write_text(to_json(real) + "\n", encoding="utf-8")


def read_reference(path: Path) -> RealVolumes:
    """Return what ``write_reference`` has written.

    Raises:
        StorageError: there is no such file, or it holds something else.
    """
    try:
        return from_json(RealVolumes, require_file(path, "a reference").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ConfigError, ValueError) as error:
        raise StorageError(f"The reference '{path}' cannot be read ({error}). Make it anew.") from None


def reference_of_model(model: str) -> RealVolumes | None:
    """Return the reference that lies beside the weights of ``model``, NAME.reference.json; None if there is none.

    Raises:
        DiffusionCoreError: there is no such model, or the file cannot be read.
    """
    weights = find_model(model)
    path = weights.with_name(weights.stem + SUFFIX)
    return read_reference(path) if path.exists() else None
