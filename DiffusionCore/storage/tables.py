"""Lists that users write, as a .csv with a header or a .json list of objects."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

from DiffusionCore.checks import StorageError


@dataclass(frozen=True)
class Columns:
    """What a list of cases may have in its columns, beside their ``name``.

    Attributes:
        needed: those without which a case is none; they hold paths.
        files: further ones that hold paths.
        words: those that hold anything else.
    """

    needed: tuple[str, ...]
    files: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """The names of all columns."""
        return ("name", *self.needed, *self.files, *self.words)


@dataclass(frozen=True)
class Listed:
    """A row of a list of cases.

    Attributes:
        name: of the case, which serves as the name of a folder.
        cells: of the row, by their columns, as they stand there.
        files: the paths among them, which start at the folder of the list.
        problem: a sentence on why this is no case; empty if it is one.
    """

    name: str
    cells: dict[str, str]
    files: dict[str, Path]
    problem: str = ""


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


def read_cases(path: Path, what: str, columns: Columns) -> list[Listed]:
    """Return the cases of a list, each a ``what``; one without a name is called by that and its number.

    Raises:
        StorageError: the list cannot be read, holds none, or has a column that is not known.
    """
    cases: dict[str, Listed] = {}
    for number, row in enumerate(read_rows(path, f"{what}s"), 1):
        if unknown := row.keys() - set(columns.all):
            text = f"has the unknown column '{min(unknown)}'. The columns are: {', '.join(columns.all)}."
            raise StorageError(f"Row {number} of '{path}' {text}")
        name = row.get("name", f"{what}_{number:03d}")
        lacking = [column for column in columns.needed if column not in row]
        problem = ""
        if name in cases or name != Path(name).name or name.startswith("."):
            problem = f"The name '{name}' in row {number} of '{path}' is taken, or is no name for a folder."
            name = f"row {number}"
        elif lacking:
            problem = f"Row {number} of '{path}' has no {' and no '.join(lacking)}. Fill that in, or leave the row out."
        files = {key: path.parent / row[key] for key in (*columns.needed, *columns.files) if key in row}
        cases[name] = Listed(name, row, files, problem)
    return list(cases.values())
