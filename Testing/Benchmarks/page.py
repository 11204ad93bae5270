"""The page of a run: what it ran on, and a table for each benchmark; and the list of all rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from DiffusionCore.storage.files import replacing
from Testing.Benchmarks.race import Row
from Testing.Benchmarks.results import Check, Results, races_of

READING = (
    "Each row is one race: all compute in turn, round by round. The first contestant is ours, with its median time; the"
    " others have the median of their time to ours in the same round (2.0: twice our time; below 1: faster than we"
    " are), and in brackets its spread, the distance of the quartiles."
)
_EVEN = 0.95  # of our time: what takes as long counts as even, as times are never told exactly


def write_page(folder: Path, results: Results) -> None:
    """Write benchmarks.md and benchmarks.json into ``folder``."""
    lines = ["# Benchmarks", "", *(f"- {fact}" for fact in results.facts())]
    if results.options.quick:
        lines.append("- **Quick: smallest sizes and two rounds. The figures say nothing.**")
    if results.stopped:
        lines.append("- **Stopped before all was done.**")
    lines += [f"- Left out: {peer} ({remedy})." for peer, remedy in results.missing.items()]
    lines += [f"- **Failed:** {failure}" for failure in results.failures]
    lines += ["", READING, ""]
    if results.checks:
        lines += [
            "## Checks on the device",
            "",
            *_table(["checked", "found", ""], [_checked(c) for c in results.checks]),
        ]
    for suite, rows in results.rows.items():
        lines += [f"## {suite}", ""]
        for name, title in results.figures.get(suite, {}).items():
            lines += [f"![{title}]({name})", ""]
        for benchmark in dict.fromkeys(row.benchmark for row in rows):
            raced = [row for row in rows if row.benchmark == benchmark]
            lines += [f"### {benchmark}", "", *_races(raced), *(f"{line}\n" for line in even_from(raced))]
    _write(folder / "benchmarks.md", "\n".join(lines))
    listed = [{"suite": suite, **asdict(row)} for suite, rows in results.rows.items() for row in rows]
    _write(folder / "benchmarks.json", json.dumps(listed, indent=1) + "\n")


def even_from(rows: Sequence[Row]) -> list[str]:
    """Return from which size of one benchmark on its kernels are not slower than torch, for each number of threads."""
    lines, curve = [], [row for row in rows if row.peer == "torch" and row.along == "voxels"]
    for threads in dict.fromkeys(row.threads for row in curve):
        sizes = sorted((row for row in curve if row.threads == threads), key=lambda row: row.at)
        first = max((n + 1 for n, row in enumerate(sizes) if row.ratio < _EVEN), default=0)
        where = f"from {sizes[first].size} on" if first < len(sizes) else "at none of these sizes"
        lines.append(f"{rows[0].benchmark}, {threads} thread(s): not slower than torch {where}")
    return lines


def line_of(row: Row) -> str:
    """Return ``row`` as a line for the terminal."""
    note = f"  {row.note}" if row.note else ""
    times = f"{_time(row.milliseconds):>9}  {row.ratio:7.2f} ({row.spread:.2f})"
    return f"{row.benchmark}, {row.size}, {row.threads} thread(s), {row.peer}: {times}{note}"


def _races(rows: Sequence[Row]) -> list[str]:
    peers = list(dict.fromkeys(row.peer for row in rows))
    lines = []
    for raced in races_of(rows):
        cells = {row.peer: _cell(row, ours=row is raced[0]) for row in raced}
        lines.append([raced[0].size, str(raced[0].threads), *(cells.get(peer, "") for peer in peers)])
    return _table(["size", "threads", *peers], lines)


def _cell(row: Row, *, ours: bool) -> str:
    shown = _time(row.milliseconds) if ours else f"{row.ratio:.2f} ({row.spread:.2f})"
    return f"{shown}; {row.note}" if row.note else shown


def _time(milliseconds: float) -> str:
    value, unit = (1000 * milliseconds, "µs") if milliseconds < 1 else (milliseconds, "ms")
    if value >= 1000:
        value, unit = value / 1000, "ms" if unit == "µs" else "s"
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def _checked(check: Check) -> list[str]:
    return [check.name, check.found, "right" if check.right else "**wrong**"]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [*(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines), ""]


def _write(path: Path, text: str) -> None:
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
