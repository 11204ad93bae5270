"""What a user asks for when he wants variants of labeled cases, in terms of the scene, and what speaks against it."""

from __future__ import annotations

import functools
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from DiffusionCore.checks import GeometryError, StorageError
from DiffusionCore.jobs.synthesis_jobs import SceneCase, SynthesisJob
from DiffusionCore.mrml.checks import Finding, Severity, about_image, about_segmentation
from DiffusionCore.mrml.labels import common_numbers, reading_labels, segment_colors
from DiffusionCore.mrml.preparation import without_invalid
from DiffusionCore.mrml.volumes import grid_of, volume_from_node
from DiffusionCore.storage.label_names import LabelName

_PARTS = ("imagesTr", "labelsTr", "img", "msk")  # of a folder of cases, where it has any


@dataclass(frozen=True, eq=False)
class SynthesisRequest:
    """Variants of one case of the scene, or of the cases in a folder.

    Attributes:
        volume: a scalar volume node.
        segmentation: a segmentation, or a label map, of it.
        folder: of cases, in place of the nodes; None for these.
        settings: of ``SynthesisSettings``, plain and partial.
        seed: of everything random.
    """

    volume: Any = None
    segmentation: Any = None
    folder: Path | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    seed: int = 0


def synthesis_findings(request: SynthesisRequest) -> list[Finding]:
    """Return what is to be said about ``request``; nothing in the scene changes."""
    found = list(_about_folder(request.folder) if request.folder is not None else _about_nodes(request))
    return sorted(found, key=lambda finding: list(Severity).index(finding.severity))


def preparing_synthesis(
    request: SynthesisRequest, output: Path, indices: tuple[int, ...]
) -> Generator[None, None, SynthesisJob]:
    """Return the job that makes the variants ``indices`` of ``request`` in ``output``; yields after each part.

    Raises:
        DiffusionCoreError: a node cannot be read; the text is for the user.
    """
    yield
    source = str(request.folder) if request.folder is not None else (yield from _reading_case(request))
    return SynthesisJob(source, str(output), indices, request.settings, request.seed)


def case_count(folder: Path) -> int:
    """Return how many labeled cases ``folder`` holds.

    Raises:
        StorageError: there is no such folder, or none in it; the text is for the user.
    """
    found = _looked_through(folder, tuple(_changed_at(folder / name) for name in ("", *_PARTS)))
    if isinstance(found, str):
        raise StorageError(found)
    return found


@functools.lru_cache(maxsize=8)
def _looked_through(folder: Path, _changed: tuple[int, ...]) -> int | str:
    """Return the number of cases, or why there are none; a folder that has not changed is not looked through again."""
    from DiffusionCore.synthesis.inputs import find_subjects

    try:
        return len(find_subjects(folder))
    except StorageError as error:
        return str(error)


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _reading_case(request: SynthesisRequest) -> Generator[None, None, SceneCase]:
    volume, segmentation = volume_from_node(request.volume), request.segmentation
    volume = yield from without_invalid(volume, request.volume)
    numbers = common_numbers(segmentation)
    labels = yield from reading_labels(segmentation, volume.grid, numbers)
    colors = segment_colors(segmentation)
    names = tuple(LabelName(value, name, colors.get(name, "")) for name, value in numbers.items())
    return SceneCase(request.volume.GetName(), volume, labels, names)


def _about_folder(folder: Path) -> Iterator[Finding]:
    try:
        case_count(folder)
    except StorageError as error:
        yield Finding(Severity.OPEN, str(error))


def _about_nodes(request: SynthesisRequest) -> Iterator[Finding]:
    if request.volume is None:
        yield Finding(Severity.OPEN, "Select a volume.")
        return
    found = list(about_image("Volume", request.volume))
    yield from found
    if request.segmentation is None:
        yield Finding(Severity.OPEN, "Select a segmentation.")
    if any(finding.prevents for finding in found):
        return
    try:
        grid = grid_of(request.volume)
    except GeometryError as error:
        yield Finding(Severity.ERROR, str(error))
        return
    if request.segmentation is not None:
        yield from about_segmentation(request.segmentation, grid)
