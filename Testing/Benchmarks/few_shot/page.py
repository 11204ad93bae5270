"""The tables of the experiment: every arm, and its paired differences to two of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from Testing.Benchmarks.few_shot.cases import STRUCTURES
from Testing.Benchmarks.few_shot.experiment import Row

BASELINES = ("none", "affine + elastic")


def write_page(path: Path, rows: Sequence[Row], arms: Sequence[str]) -> None:
    """Write the Markdown page of ``rows`` to ``path``: the ``arms`` that have some, in this order.

    Means over seeds with their standard deviation (n - 1). Differences are those of trainings of one seed, with the
    standard error of their mean over seeds, and in how many of all unseen cases the arm is the better one.
    """
    present = [arm for arm in arms if _of(rows, arm)]
    titles = ["arm", "seeds", "Dice", "worst structure", "HD95 mm", "CPU s"]
    tables = [
        [titles, *(_overview(_of(rows, arm)) for arm in present)],
        *(_comparison(rows, present, pose) for pose in ("upright", "tilted")),
        [["Dice", *STRUCTURES], *(_structures(_of(rows, arm)) for arm in present)],
    ]
    path.write_text("\n".join(line for table in tables for line in _lines(table)), encoding="utf-8")


def case_dice(row: Row, pose: str) -> dict[str, float]:
    """Return the mean Dice of the structures of every unseen case."""
    return {name: float(np.mean(list(case["dice"].values()))) for name, case in row[pose].items()}


def differences(rows: Sequence[Row], arm: str, baseline: str, pose: str) -> list[list[float]]:
    """Return by how much the Dice of ``arm`` is above that of ``baseline``: per seed of both, per unseen case."""
    theirs = {row["seed"]: case_dice(row, pose) for row in _of(rows, baseline)}
    own = {row["seed"]: case_dice(row, pose) for row in _of(rows, arm)}
    return [[own[seed][case] - theirs[seed][case] for case in own[seed]] for seed in own if seed in theirs]


def _of(rows: Sequence[Row], arm: str) -> list[Row]:
    return [row for row in rows if row["arm"] == arm]


def _overview(rows: Sequence[Row]) -> list[str]:
    def each(number: Callable[[Row], float]) -> list[float]:
        """Return the mean over the unseen cases for every training."""
        return [float(np.mean([number(case) for case in row["upright"].values()])) for row in rows]

    cpu = np.mean([row["cpu_variants"] + row["cpu_training"] for row in rows])
    return [
        rows[0]["arm"],
        str(len(rows)),
        _spread(each(lambda case: float(np.mean(list(case["dice"].values()))))),
        _spread(each(lambda case: min(case["dice"].values()))),
        _spread(each(lambda case: float(np.mean(list(case["hd95"].values()) or [math.nan]))), digits=2),
        f"{cpu:.0f}",
    ]


def _comparison(rows: Sequence[Row], arms: Sequence[str], pose: str) -> list[list[str]]:
    lines = [[f"Dice, {pose}", "mean", *(f"above '{name}'" for name in BASELINES)]]
    for arm in arms:
        means = [np.mean(list(case_dice(row, pose).values())) for row in _of(rows, arm)]
        lines.append([arm, _spread(means), *(_gain(differences(rows, arm, name, pose)) for name in BASELINES)])
    return lines


def _structures(rows: Sequence[Row]) -> list[str]:
    cells = [rows[0]["arm"]]
    for name in STRUCTURES:
        found = [case["dice"][name] for row in rows for case in row["upright"].values() if name in case["dice"]]
        cells.append(f"{np.mean(found):.3f}" if found else "")
    return cells


def _gain(found: list[list[float]]) -> str:
    """Return "mean ± standard error (cases that are better of all)"; nothing where nothing differs."""
    cases = np.array(found)
    if not cases.any():
        return ""
    return f"{_spread(cases.mean(1), error=True)} ({(cases > 0).sum()} of {cases.size})"


def _spread(values: ArrayLike, *, error: bool = False, digits: int = 3) -> str:
    """Return "mean ± standard deviation", or the standard error of the mean; one value alone has neither."""
    numbers = np.asarray(values)
    mean = f"{numbers.mean():{'+' if error else ''}.{digits}f}"
    if numbers.size == 1:
        return mean
    deviation = numbers.std(ddof=1) / (math.sqrt(numbers.size) if error else 1)
    return f"{mean} ± {deviation:.{digits}f}"


def _lines(table: Sequence[Sequence[str]]) -> list[str]:
    first, *rest = (f"| {' | '.join(cells)} |" for cells in table)
    return [first, "|---" * len(table[0]) + "|", *rest, ""]
