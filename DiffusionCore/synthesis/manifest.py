"""The account of a set of variants: where each comes from and what was measured, so that a stopped run can go on.

While it runs, every finished variant has a file of its own in the folder ``manifest``, written after all its others;
in the end they are joined in ``manifest.json``.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from DiffusionCore.checks import StorageError
from DiffusionCore.storage.files import replacing

_JOINED, _SINGLE = "manifest.json", "manifest"


@dataclass
class Manifest:
    """The account in ``folder``.

    Attributes:
        made: what the set is made from and how; a set is only gone on with if this is the same.
        samples: the record of every finished variant by its index.
    """

    folder: Path
    made: dict[str, Any]
    samples: dict[int, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def opened(cls, folder: Path, made: dict[str, Any]) -> Manifest:
        """Return the account of ``folder``, with what it holds already.

        What a killed run has half written there is removed.

        Raises:
            StorageError: it holds another set, its account cannot be read, or it cannot be written to.
        """
        try:
            (folder / _SINGLE).mkdir(parents=True, exist_ok=True)
            for left_over in folder.rglob(".writing-*"):
                shutil.rmtree(left_over, ignore_errors=True)
            joined = json.loads((folder / _JOINED).read_text("utf-8")) if (folder / _JOINED).is_file() else None
            before = made if joined is None else joined["made"]
            samples = {} if joined is None else {row["index"]: row for row in joined["samples"]}
            for path in sorted((folder / _SINGLE).glob("*.json")):
                record = json.loads(path.read_text("utf-8"))
                before = record.pop("made") if before == made else before
                samples[record["index"]] = record
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StorageError(
                f"No set of variants can be kept in '{folder}' ({error}). Choose another folder that may be written."
            ) from error
        if before != json.loads(json.dumps(made)):
            changed = sorted(key for key in made if before.get(key) != json.loads(json.dumps(made[key])))
            raise StorageError(
                f"'{folder}' holds a set that was made otherwise ({', '.join(changed)}). Choose another folder, or ask "
                "for the same again to go on with it."
            )
        return cls(folder, made, samples)

    @staticmethod
    def record(folder: Path, made: dict[str, Any], sample: dict[str, Any]) -> None:
        """Write the record of one finished variant."""
        with replacing(folder / _SINGLE / f"{sample['index']:06d}.json") as unfinished:
            unfinished.write_text(json.dumps({**sample, "made": made}), encoding="utf-8")

    def join(self, **facts: Any) -> Path:
        """Write all records, and ``facts``, into one file, remove those of single variants, and return its path."""
        content = {"made": self.made, **facts, "samples": [self.samples[index] for index in sorted(self.samples)]}
        with replacing(self.folder / _JOINED) as unfinished:
            unfinished.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        shutil.rmtree(self.folder / _SINGLE, ignore_errors=True)
        return self.folder / _JOINED
