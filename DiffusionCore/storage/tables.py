"""Lists that users write, as a .csv with a header or a .json list of objects."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from DiffusionCore.checks import StorageError


def read_rows(path: Path, what: str) -> list[dict[str, str]]:
    """Return the rows of the list of ``what`` (for the text of errors) at ``path``; empty cells are left out.

    Raises:
        StorageError: the file cannot be read, or holds none.
    """
    try:
        text = path.read_text(encoding="utf-8")
        rows = json.loads(text) if path.suffix == ".json" else list(csv.DictReader(text.splitlines()))
        rows = [{key: str(value).strip() for key, value in row.items() if key and value} for row in rows]
    except (OSError, ValueError, AttributeError, TypeError, csv.Error) as error:
        needed = "a .csv with a header or a .json list of objects is needed"
        raise StorageError(f"The list '{path}' cannot be read; {needed} ({error}).") from error
    if not rows:
        raise StorageError(f"The list '{path}' holds no {what}.")
    return rows
