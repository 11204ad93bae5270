"""The variants that a user looks through, and his verdicts, in a folder of their own; no torch."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from DiffusionCore.checks import StorageError
from DiffusionCore.storage.files import replacing

_FILE = "collection.json"


@dataclass(frozen=True)
class Reviewed:
    """A variant of the batch ``batch``, its ``record`` there, and whether it is ``kept``."""

    batch: int
    record: dict[str, Any]
    kept: bool = True


@dataclass
class VariantCollection:
    """The collection in ``folder``: batches of variants, each in a folder of its own, and one row for each variant.

    A batch is what was made at one time with the same settings.

    Attributes:
        folder: of the collection; it is made with the first batch.
        rows: the variants in the order in which they came.
        batches: how many there are.
        next_index: of the next variant that is asked for. No index is used twice, so no two variants are the same.
    """

    folder: Path
    rows: list[Reviewed] = field(default_factory=list)
    batches: int = 0
    next_index: int = 0

    @classmethod
    def open(cls, folder: Path) -> VariantCollection:
        """Return the collection in ``folder``; an empty one if there is none, or its variants are gone."""
        try:
            content = json.loads((folder / _FILE).read_text("utf-8"))
            rows = [Reviewed(row["batch"], row["record"], row["kept"]) for row in content["rows"]]
            found = cls(folder, rows, content["batches"], content["next_index"])
        except (OSError, ValueError, KeyError, TypeError):
            return cls(folder)
        return found if all(found.path_of(row).is_file() for row in rows) else cls(folder)

    def begin(self, count: int) -> tuple[Path, tuple[int, ...]]:
        """Return the folder of a new batch, and the indices of its ``count`` variants.

        Raises:
            StorageError: the folder cannot be made.
        """
        indices = tuple(range(self.next_index, self.next_index + count))
        folder = self._batch(self.batches)
        try:
            shutil.rmtree(folder, ignore_errors=True)  # left by a program that was killed
            folder.mkdir(parents=True)
        except OSError as error:
            raise StorageError(f"'{folder}' cannot be made ({error.strerror}). Choose another folder.") from error
        self.batches += 1
        self.next_index += count
        self.save()
        return folder, indices

    def add(self, record: dict[str, Any]) -> int:
        """Add a variant of the newest batch, which is kept until somebody says otherwise; return its row."""
        self.rows.append(Reviewed(self.batches - 1, record))
        return len(self.rows) - 1

    def put(self, row: int, record: dict[str, Any]) -> None:
        """Put a variant of the newest batch in the place of the one in ``row``."""
        self.rows[row] = Reviewed(self.batches - 1, record)

    def judge(self, row: int, kept: bool) -> None:
        """Keep or reject the variant in ``row``."""
        self.rows[row] = replace(self.rows[row], kept=kept)
        self.save()

    @property
    def kept(self) -> list[Reviewed]:
        return [row for row in self.rows if row.kept]

    @property
    def rejected(self) -> list[int]:
        """The rows of the rejected variants."""
        return [number for number, row in enumerate(self.rows) if not row.kept]

    def path_of(self, row: Reviewed) -> Path:
        """Return the file of a variant (``StoredCase``)."""
        return self._batch(row.batch) / row.record["files"][0]

    def original_of(self, row: Reviewed) -> Path:
        """Return the file of what a variant was made of."""
        folder = self._batch(row.batch)
        cases = sum(1 for _ in folder.glob("original-*.npz"))
        return folder / f"original-{row.record['index'] % max(cases, 1)}.npz"

    def exported(self) -> tuple[tuple[str, ...], tuple[dict[str, Any], ...]]:
        """Return the folders of the batches, and the records of the kept variants as ``ExportJob`` has them."""
        folders = tuple(str(self._batch(number)) for number in range(self.batches))
        return folders, tuple({**row.record, "folder": row.batch} for row in self.kept)

    def save(self) -> None:
        """Write rows and verdicts; batches write their variants themselves.

        Raises:
            StorageError: they cannot be written.
        """
        rows = [{"batch": row.batch, "record": row.record, "kept": row.kept} for row in self.rows]
        content = {"rows": rows, "batches": self.batches, "next_index": self.next_index}
        with replacing(self.folder / _FILE) as unfinished:
            unfinished.write_text(json.dumps(content), encoding="utf-8")

    def delete(self) -> None:
        """Remove the folder with all variants."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _batch(self, number: int) -> Path:
        return self.folder / f"batch-{number}"
