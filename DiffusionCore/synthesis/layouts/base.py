"""What all layouts share: every file appears whole or not at all."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from DiffusionCore.checks import VolumeError
from DiffusionCore.space import Volume
from DiffusionCore.storage.files import replacing
from DiffusionCore.storage.label_names import LabelName
from DiffusionCore.storage.layers import ENDING as LAYERS
from DiffusionCore.storage.layers import write_layers
from DiffusionCore.storage.volumes import write_volume
from DiffusionCore.synthesis.checks import SampleChecks
from DiffusionCore.synthesis.subject import Segmentation, Subject, variant_name
from DiffusionCore.synthesis.synthesizer import Synthesizer, Variant

ENDING = ".nii.gz"


@dataclass(frozen=True)
class Source:
    """What a layout needs to know of a case: its ``number`` among them, ``name``, channels, names of its labels,
    and whether any overlap (``layered``)."""

    number: int
    name: str
    channels: int
    names: tuple[tuple[LabelName, ...], ...]
    layered: bool = False

    @classmethod
    def of(cls, number: int, subject: Subject) -> Source:
        """Return the facts of ``subject``."""
        return cls(
            number,
            subject.name,
            len(subject.images),
            tuple(s.names for s in subject.segmentations),
            any(s.layer for s in subject.segmentations),
        )


class Sample(Protocol):
    """What a set consists of: a variant, or a pair of them."""

    @property
    def checks(self) -> SampleChecks:
        """What was measured of it."""
        ...

    @property
    def redrawn(self) -> tuple[str, ...]:
        """Why each earlier draw was refused."""
        ...


Drawn = TypeVar("Drawn", bound=Sample)


class Layout(ABC, Generic[Drawn]):
    """Draws samples of cases and writes them into ``folder``, each file whole or not at all."""

    def __init__(self, folder: Path, sources: Sequence[Source]) -> None:
        self.folder = folder
        self.sources = sources

    @abstractmethod
    def draw(self, synthesizer: Synthesizer, index: int, seed: int) -> Drawn:
        """Return sample ``index`` of ``seed``.

        Raises:
            SampleRefusedError: no draw passed its checks.
        """

    @abstractmethod
    def write(self, sample: Drawn, source: Source) -> list[str]:
        """Write the files of ``sample`` and return their paths in the folder."""

    @abstractmethod
    def finish(self, cases: int) -> None:
        """Write what describes the whole set, of ``cases`` samples."""

    def require_no_overlap(self, what: str) -> None:
        """Raise VolumeError if a case has segments that overlap; ``what`` is the layout that cannot hold them."""
        wrong = next((source.name for source in self.sources if source.layered), None)
        if wrong is not None:
            raise VolumeError(
                f"{what} has one label at each voxel, and in the segmentation of '{wrong}' segments overlap. Choose "
                "--format pairs or bids, or save it without overlaps (3D Slicer: export it as a label map)."
            )

    def path(self, name: str) -> Path:
        """Return the path of ``name`` in the folder, whose own folder is made."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write_volumes(self, volumes: Iterable[tuple[str, Volume]]) -> list[str]:
        """Write the volumes under their names in the folder, and return these."""
        names = []
        for name, volume in volumes:
            write_volume(self.path(name), volume)
            names.append(name)
        return names

    def write_labels(self, stem: str, segmentation: Sequence[Segmentation]) -> list[str]:
        """Write the labels of one file of the case, and return its name: all its layers in one .seg.nrrd with names."""
        if len(segmentation) == 1:
            return self.write_volumes([(f"{stem}{ENDING}", segmentation[0].volume)])
        write_layers(self.path(f"{stem}{LAYERS}"), [(each.volume, each.names) for each in segmentation])
        return [f"{stem}{LAYERS}"]

    def write_points(self, name: str, subject: Subject) -> list[str]:
        """Write the landmarks of ``subject``, if it has any, as a table in LPS mm."""
        points = subject.landmarks
        if points is None:
            return []
        rows = [("x", "y", "z"), *(points * (-1, -1, 1)).round(4).tolist()]
        with replacing(self.path(name)) as unfinished:
            unfinished.write_text("".join(",".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
        return [name]

    def write_json(self, name: str, content: Any) -> None:
        """Write ``content`` as JSON."""
        with replacing(self.path(name)) as unfinished:
            unfinished.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


class VariantLayout(Layout[Variant]):
    """A layout whose samples are variants."""

    def draw(self, synthesizer: Synthesizer, index: int, seed: int) -> Variant:
        return synthesizer.variant(index, seed=seed)


class CaseLayout(VariantLayout):
    """A layout that needs nothing but the case itself, so that originals can lie among their variants."""

    @abstractmethod
    def write_case(self, name: str, subject: Subject) -> list[str]:
        """Write the files of ``subject`` under ``name`` and return their paths in the folder."""

    def write(self, sample: Variant, source: Source) -> list[str]:
        return self.write_case(variant_name(source.name, sample.index), sample.subject)


def numbered(entity: str, number: int) -> str:
    """Return what tells one of several apart in a name: nothing for the first, ``entity`` and 2, 3, ... then."""
    return f"{entity}{number + 1}" if number else ""
