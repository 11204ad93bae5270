"""A case in one file of numpy, for whoever looks at it next; no torch, and nothing is compressed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from DiffusionCore.checks import StorageError
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.space.plain import Field
from DiffusionCore.storage.files import replacing
from DiffusionCore.storage.label_names import LabelName
from DiffusionCore.synthesis.subject import Segmentation, Subject


@dataclass(frozen=True, eq=False)
class StoredCase:
    """A ``subject``, and the deformation that made it.

    Attributes:
        subject: without landmarks.
        fields: points of this case to points of the case that it was made of, displacements on a coarse grid, to look
            at: the last one made it, those before are the stages on the way there. Empty for an original.
    """

    subject: Subject
    fields: tuple[Field, ...] = ()

    def write(self, path: Path) -> None:
        """Write the file ``path`` (.npz).

        Raises:
            StorageError: it cannot be written.
        """
        subject, arrays = self.subject, {}
        for kind, volumes in (("image", subject.images), ("labels", [s.volume for s in subject.segmentations])):
            arrays.update({f"{kind}{number}": volume.values for number, volume in enumerate(volumes)})
        for number, field in enumerate(self.fields):
            arrays[f"field{number}"] = field.vectors
            arrays[f"field{number}_matrix"] = field.grid.matrix(Frame.VOXEL, Frame.RAS)
        facts = {"name": subject.name, "names": [[asdict(n) for n in s.names] for s in subject.segmentations]}
        facts["layers"] = [s.layer for s in subject.segmentations]
        arrays["matrix"] = subject.images[0].grid.matrix(Frame.VOXEL, Frame.RAS)
        with replacing(path) as unfinished, unfinished.open("wb") as file:
            np.savez(file, facts=np.array(json.dumps(facts)), **arrays)

    @classmethod
    def read(cls, path: Path) -> StoredCase:
        """Return the case in the file ``path``.

        Raises:
            StorageError: it is not there any more, or is none.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return cls._of(arrays)
        except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
            raise StorageError(f"The variant '{path}' cannot be read ({error}). Generate it again.") from error

    @classmethod
    def _of(cls, arrays: Any) -> StoredCase:
        facts = json.loads(str(arrays["facts"]))
        matrix = arrays["matrix"]
        images = tuple(_volume(values, matrix) for values in _numbered(arrays, "image"))
        names = [tuple(LabelName(**each) for each in names) for names in facts["names"]]
        labels = [_volume(values, matrix) for values in _numbered(arrays, "labels")]
        segmentations = tuple(map(Segmentation, labels, names, facts["layers"]))
        fields = tuple(
            Field(vectors, _grid(vectors.shape[:3], arrays[f"field{number}_matrix"]))
            for number, vectors in enumerate(_numbered(arrays, "field"))
        )
        return cls(Subject(facts["name"], images, segmentations), fields)


def _numbered(arrays: Any, kind: str) -> list[NDArray]:
    names = []
    while f"{kind}{len(names)}" in arrays:
        names.append(f"{kind}{len(names)}")
    return [arrays[name] for name in names]


def _volume(values: NDArray, matrix: NDArray) -> Volume:
    return Volume(values, _grid(values.shape, matrix))


def _grid(shape: Sequence[int], matrix: NDArray) -> Grid:
    k, j, i = shape
    return Grid.from_matrix(matrix, (i, j, k))
