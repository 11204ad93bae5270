"""``evaluate``: register a list of pairs and write a table."""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

from DiffusionCore.commands.arguments import add_output_argument, add_run_arguments

_FILES = ("fixed", "moving", "fixed_segmentation", "moving_segmentation", "initial_transform", "landmarks", "truth")
_MEASURES = (
    ("mean_dice", "Dice"),
    ("landmark_error_mm", "landmark error mm"),
    ("true_error_mm", "true error mm"),
    ("mutual_information", "MI"),
)


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the shell."""
    parser = commands.add_parser(
        "evaluate",
        help="register a list of pairs and write a table",
        description="Register every pair of a list (.csv with a header, or a .json list of objects). Columns: fixed, "
        "moving; optional: name, fixed_segmentation, moving_segmentation, initial_transform, landmarks (.csv: fx, fy, "
        "fz, mx, my, mz in LPS mm), truth (a transform). Paths are relative to the list. Writes table.csv, table.md, "
        "report.json and a folder per pair. A pair that fails gets a line and the others go on; the exit code is then "
        "1.",
    )
    parser.add_argument("list", type=Path, metavar="LIST", help="the list of pairs (.csv or .json)")
    add_output_argument(parser)
    add_run_arguments(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Evaluate and return 0, 1 if a pair failed, or 130 if the user stopped it early."""
    from DiffusionCore.build import choose_device
    from DiffusionCore.checks import DiffusionCoreError
    from DiffusionCore.commands.output import output_folder
    from DiffusionCore.commands.settings import settings_from
    from DiffusionCore.storage.tables import read_rows

    choose_device(options.device)
    settings_from(options)
    rows = _named(read_rows(options.list, "pairs"), options.list)
    results: list[dict[str, Any]] = []
    stopped = False
    for row in rows:
        sys.stderr.write(f"{row['name']} ({len(results) + 1} of {len(rows)})\n")
        try:
            report, stopped = _register(row, options)
            results.append({"name": row["name"], "status": "stopped" if stopped else "ok", **report})
        except (DiffusionCoreError, MemoryError) as error:
            text = " ".join(str(error).split()) or type(error).__name__
            sys.stderr.write(f"error: {row['name']}: {text}\n")
            results.append({"name": row["name"], "status": f"failed: {text}"})
        with output_folder(options.output) as folder:
            _write_tables(folder, results)
        if stopped:
            break
    failed = sum(result["status"].startswith("failed") for result in results)
    sys.stdout.write((options.output / "table.md").read_text(encoding="utf-8"))
    sys.stdout.write(f"{len(results) - failed} of {len(rows)} pairs registered. Results: {options.output}\n")
    return 130 if stopped else int(failed > 0)


def _named(rows: list[dict[str, str]], path: Path) -> list[dict[str, str]]:
    """Return ``rows`` with a ``name`` each and with paths that start at the folder of the list."""
    from DiffusionCore.checks import StorageError

    named = []
    for number, row in enumerate(rows, 1):
        unknown = row.keys() - {"name", *_FILES}
        if unknown or not {"fixed", "moving"} <= row.keys():
            what = f"has the unknown column '{min(unknown)}'" if unknown else "lacks the column fixed or moving"
            raise StorageError(f"Pair {number} of '{path}' {what}. The columns are: name, {', '.join(_FILES)}.")
        name = row.get("name", f"pair_{number:03d}")
        if name in (other["name"] for other in named) or name != Path(name).name or name.startswith("."):
            raise StorageError(f"The name '{name}' of pair {number} of '{path}' is taken, or is no name for a folder.")
        named.append({"name": name, **{key: str(path.parent / row[key]) for key in _FILES if key in row}})
    return named


def _register(row: dict[str, str], options: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    """Register one pair, write its results into its own folder, and return its report and whether it was stopped."""
    import dataclasses

    from DiffusionCore.commands.inputs import foreground_points, read_landmarks, read_pair
    from DiffusionCore.commands.output import output_folder
    from DiffusionCore.commands.running import run_pair, write_outcome
    from DiffusionCore.storage.transforms import read_transform

    files = {key: Path(row[key]) for key in _FILES if key in row}
    landmarks, truth = files.pop("landmarks", None), files.pop("truth", None)
    pair = read_pair(initial=files.pop("initial_transform", None), **files)
    if landmarks is not None:
        pair = dataclasses.replace(pair, landmarks=read_landmarks(landmarks))
    if truth is not None:
        points = foreground_points(pair.fixed, options.seed)
        pair = dataclasses.replace(pair, truth=read_transform(truth), points=points)
    with output_folder(options.output / row["name"]) as folder:
        outcome = run_pair(pair, options)
        write_outcome(folder, pair, outcome, keep_steps=False)
    return outcome.report, outcome.registration.stopped


def _write_tables(folder: Path, results: list[dict[str, Any]]) -> None:
    measured = [(key, name) for key, name in _MEASURES if any(_value(r, "after", key) is not None for r in results)]
    header = ["pair", *(f"{name} {when}" for _, name in measured for when in ("before", "after")), "seconds", "status"]
    rows = []
    for result in results:
        values = [_value(result, when, key) for key, _ in measured for when in ("before", "after")]
        values.append(result.get("seconds", {}).get("total"))
        rows.append([result["name"], *("" if v is None else f"{v:.4f}" for v in values), result["status"]])
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows])
    (folder / "table.csv").write_text(text.getvalue(), encoding="utf-8")
    lines = [header, ["---"] * len(header), *([cell.replace("|", "/") for cell in row] for row in rows)]
    markdown = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    (folder / "table.md").write_text(markdown, encoding="utf-8")
    (folder / "report.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def _value(result: dict[str, Any], when: str, key: str) -> float | None:
    value = result.get("metrics", {}).get(when, {}).get(key)
    return value["mean"] if isinstance(value, dict) else value
