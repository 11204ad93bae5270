"""What all layouts share: every file appears whole or not at all."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from DiffusionCore.space import Volume
from DiffusionCore.storage.files import replacing
from DiffusionCore.storage.label_names import LabelName
from DiffusionCore.storage.volumes import write_volume
from DiffusionCore.synthesis.checks import SampleChecks
from DiffusionCore.synthesis.subject import Subject, variant_name
from DiffusionCore.synthesis.synthesizer import Synthesizer, Variant

ENDING = ".nii.gz"


@dataclass(frozen=True)
class Source:
    """What a layout needs to know of a case: its ``number`` among them, ``name``, channels, and names of its labels."""

    number: int
    name: str
    channels: int
    names: tuple[tuple[LabelName, ...], ...]

    @classmethod
    def of(cls, number: int, subject: Subject) -> Source:
        """Return the facts of ``subject``."""
        return cls(number, subject.name, len(subject.images), tuple(s.names for s in subject.segmentations))


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
