"""Carry out the jobs of the synthesis: make variants, and write those that were kept."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, TypeVar

from DiffusionCore.checks import ConfigError, StorageError
from DiffusionCore.config import from_dict
from DiffusionCore.jobs.events import Event, Finished, Progress, Started, VariantMade
from DiffusionCore.jobs.failures import failed
from DiffusionCore.jobs.synthesis_jobs import ExportJob, SceneCase, SynthesisJob
from DiffusionCore.storage.label_names import write_label_names
from DiffusionCore.storage.volumes import write_volume
from DiffusionCore.synthesis.batch import Order, making
from DiffusionCore.synthesis.export import Kept, exporting
from DiffusionCore.synthesis.inputs import SubjectFiles, find_subjects
from DiffusionCore.synthesis.settings import SynthesisSettings
from DiffusionCore.synthesis.stored_case import StoredCase

Stop = Callable[[], bool]
Result = TypeVar("Result")


def execute_synthesis(job: SynthesisJob, should_stop: Stop = lambda: False) -> Iterator[Event]:
    """Yield the events of ``job``: ``Started``, a ``VariantMade`` for each, and ``Finished`` or ``Failed``."""
    yield from _whatever_happens(_variants(job, should_stop))


def execute_export(job: ExportJob, should_stop: Stop = lambda: False) -> Iterator[Event]:
    """Yield the events of ``job``, as ``execute_synthesis`` does."""
    yield from _whatever_happens(_written(job, should_stop))


def _whatever_happens(events: Iterator[Event]) -> Iterator[Event]:
    try:
        yield from events
    except (Exception, SystemExit) as error:
        yield failed(error)


def _variants(job: SynthesisJob, should_stop: Stop) -> Iterator[Event]:
    yield Started("cpu")
    yield Progress("Reading the cases...")
    output = Path(job.output)
    try:
        settings = from_dict(SynthesisSettings, job.settings)
    except ValueError as error:
        raise ConfigError(f"The settings are refused: {error}.") from error
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"'{output}' cannot be made ({error.strerror}). Choose another folder.") from error
    files = _files(job.source, output)
    for number, each in enumerate(files):
        StoredCase(each.read()).write(original_path(output, number))
    order = Order(tuple(files), output, settings, job.indices, job.seed, "review")
    yield Progress("Making the variants...")
    outcome = yield from _made(making(order, workers=job.workers, should_stop=should_stop))
    yield Finished(outcome.stopped, cautions=tuple(outcome.refused.values()))


def _written(job: ExportJob, should_stop: Stop) -> Iterator[Event]:
    yield Started("cpu")
    folders = [Path(folder) for folder in job.folders]
    kept = [Kept(folders[record["folder"]], record) for record in job.records]
    stopped = yield from _made(exporting(kept, Path(job.output), job.layout, job.originals, should_stop))
    yield Finished(stopped)


def _made(run: Generator[dict[str, Any], None, Result]) -> Generator[Event, None, Result]:
    """Yield a ``VariantMade`` for every record of ``run``, and return what it returns."""
    while True:
        try:
            record = next(run)
        except StopIteration as end:
            return end.value
        yield VariantMade(record)


def original_path(folder: Path, number: int) -> Path:
    """Return where the folder of variants keeps case ``number``."""
    return folder / f"original-{number}.npz"


def _files(source: SceneCase | str, output: Path) -> list[SubjectFiles]:
    if isinstance(source, str):
        return find_subjects(Path(source))
    folder = output / "case"
    folder.mkdir(exist_ok=True)
    image, labels = folder / f"{_file_name(source.name)}.nii", folder / f"{_file_name(source.name)}_seg.nii"
    write_volume(image, source.image)
    write_volume(labels, source.labels)
    write_label_names(labels.with_suffix(".tsv"), source.names)
    return [SubjectFiles(_file_name(source.name), (image,), (labels,))]


def _file_name(name: str) -> str:
    """Return ``name`` as any system takes it for the name of a file."""
    return "".join(letter if letter.isalnum() or letter in "-." else "-" for letter in name).strip(".-") or "case"
