"""``evaluate``: register a list of pairs and write a table."""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from DiffusionCore.commands.arguments import add_output_argument, add_run_arguments

if TYPE_CHECKING:
    from DiffusionCore.storage.tables import Listed


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
    from DiffusionCore.checks import DiffusionCoreError, StorageError
    from DiffusionCore.commands.inputs import PAIR_FILES
    from DiffusionCore.commands.output import output_folder
    from DiffusionCore.commands.settings import settings_from
    from DiffusionCore.storage.tables import Columns, read_cases

    choose_device(options.device)
    settings_from(options)
    pairs = read_cases(options.list, "pair", Columns(PAIR_FILES[:2], PAIR_FILES[2:]))
    if problem := next((pair.problem for pair in pairs if pair.problem), None):
        raise StorageError(problem)
    results: list[dict[str, Any]] = []
    stopped = False
    for pair in pairs:
        sys.stderr.write(f"{pair.name} ({len(results) + 1} of {len(pairs)})\n")
        try:
            report, stopped = _register(pair, options)
            results.append({"name": pair.name, "status": "stopped" if stopped else "ok", **report})
        except (DiffusionCoreError, MemoryError) as error:
            text = " ".join(str(error).split()) or type(error).__name__
            sys.stderr.write(f"error: {pair.name}: {text}\n")
            results.append({"name": pair.name, "status": f"failed: {text}"})
        with output_folder(options.output) as folder:
            _write_tables(folder, results)
        if stopped:
            break
    failed = sum(result["status"].startswith("failed") for result in results)
    sys.stdout.write((options.output / "table.md").read_text(encoding="utf-8"))
    sys.stdout.write(f"{len(results) - failed} of {len(pairs)} pairs registered. Results: {options.output}\n")
    return 130 if stopped else int(failed > 0)


def _register(listed: Listed, options: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    """Register one pair, write its results into its own folder, and return its report and whether it was stopped."""
    from DiffusionCore.commands.inputs import read_pair
    from DiffusionCore.commands.output import output_folder
    from DiffusionCore.commands.running import run_pair, write_outcome

    pair = read_pair(**listed.files, seed=options.seed)
    with output_folder(options.output / listed.name) as folder:
        outcome = run_pair(pair, options)
        write_outcome(folder, pair, outcome, keep_steps=False)
    return outcome.report, outcome.registration.stopped


def _write_tables(folder: Path, results: list[dict[str, Any]]) -> None:
    from DiffusionCore.report import HEADLINES

    measured = [(key, name) for key, name in HEADLINES if any(_value(r, "after", key) is not None for r in results)]
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
    from DiffusionCore.report import mean_of

    return mean_of(result.get("metrics", {}).get(when, {}), key)
