"""From variants that were looked through to a data set of those that were kept."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from DiffusionCore.checks import ConfigError, StorageError
from DiffusionCore.report import versions
from DiffusionCore.synthesis.layouts import LAYOUTS, CaseLayout, Source
from DiffusionCore.synthesis.manifest import Manifest
from DiffusionCore.synthesis.stored_case import StoredCase
from DiffusionCore.synthesis.subject import variant_name


@dataclass(frozen=True)
class Kept:
    """A variant in a ``folder`` that ``make_set`` filled in the layout "review", and its ``record`` there."""

    folder: Path
    record: dict[str, Any]

    @property
    def path(self) -> Path:
        return self.folder / self.record["files"][0]


def exporting(
    kept: Sequence[Kept],
    output: Path,
    layout: str,
    originals: bool,
    should_stop: Callable[[], bool] = lambda: False,
) -> Generator[dict[str, Any], None, bool]:
    """Write ``kept``, and with ``originals`` what they were made of; return whether it was stopped early.

    Yields the record of every case that is there. What is there already, from an export before, is not written again;
    nothing is overwritten.

    Raises:
        DiffusionCoreError: a variant is gone, ``output`` holds something else, or cannot be written.
    """
    kind = LAYOUTS.get(layout)
    if kind is None or not issubclass(kind, CaseLayout):
        raise ConfigError(f"Variants that were looked through cannot be written as '{layout}'.")
    cases = _cases(kept)
    writer = kind(output, [Source.of(number, StoredCase.read(path).subject) for number, (_, path) in enumerate(cases)])
    foreign = output.is_dir() and any(output.iterdir()) and not any(output.glob("manifest*"))
    if foreign:
        raise StorageError(f"'{output}' holds other files. Choose a new folder.")
    labels = sorted({(each.value, each.name) for source in writer.sources for names in source.names for each in names})
    manifest = Manifest.opened(output, {"format": layout, "labels": [list(each) for each in labels]})
    there = {record["name"]: record for record in manifest.samples.values()}
    wanted = [(variant_name(each.record["source"], each.record["index"]), each.path, each.record) for each in kept]
    if originals:
        wanted += [(name, path, {"source": name, "original": True}) for name, path in dict(cases).items()]
    stopped = False
    for name, path, record in wanted:
        if name not in there:
            record = {**record, "name": name, "index": len(manifest.samples)}
            record["files"] = writer.write_case(name, StoredCase.read(path).subject)
            Manifest.record(output, manifest.made, record)
            manifest.samples[record["index"]] = record
        elif any(there[name].get(key) != value for key, value in record.items() if key not in ("files", "index")):
            raise StorageError(f"'{output}' holds another variant '{name}' already. Choose a new folder.")
        yield {**record, "name": name}
        if stopped := should_stop():
            break
    writer.finish(len(manifest.samples))
    manifest.join(versions=versions())
    return stopped


def _cases(kept: Sequence[Kept]) -> list[tuple[str, Path]]:
    """Return the names and the files of the originals of ``kept``."""
    used = {each.record["source"] for each in kept}
    folders = dict.fromkeys(each.folder for each in kept)
    paths = [path for folder in folders for path in sorted(folder.glob("original-*.npz"))]
    named = ((StoredCase.read(path).subject.name, path) for path in paths)
    return [(name, path) for name, path in named if name in used]
