"""A page about a calibration: its numbers, and a picture of true against stated errors and of the coverage."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from DiffusionCore.deformable.stated import LOCALIZES, Calibration, Calibrations
from DiffusionCore.training.calibration import SHARES, Observed

_SHOWN = 400  # points of a pair
_WITHIN_GOAL, _ACROSS_GOAL = LOCALIZES, 0.7


def write_page(folder: Path, model: str, calibrations: Calibrations, pairs: Sequence[Sequence[Observed]]) -> None:
    """Write ``calibration.md`` and ``calibration.png`` into ``folder``; ``pairs`` are those of the report. Needs
    matplotlib."""
    lines = [
        f"# How wrong the fields of `{model}` may be",
        "",
        f"    python -m DiffusionCore calibrate {model} --output DIR",
        "",
        "Synthetic pairs with a known deformation; half of them fitted, the other half, of which all numbers here are, "
        "not. Errors are distances from the true point over the object. The 90 % region of a point is the ball about "
        "it whose radius is the stated error times the factor in the last column.",
        "",
        "| result | rank correlation within a pair | across pairs | inside the 50 / 80 / 90 % region "
        "| error, stated (RMS, mm) | factors |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_row(entry) for entry in calibrations.entries]
    lines += ["", "Weights of the logarithms of the clues (`DiffusionCore/deformable/stated.py`):", ""]
    for entry in calibrations.entries:
        told = ", ".join(f"{name} {weight:.2f}" for name, weight in entry.weights.items())
        lines.append(f"- {_name(entry)}: {told}")
    lines += ["", *(_verdict(entry) for entry in calibrations.entries), "", "![Errors and coverage](calibration.png)"]
    (folder / "calibration.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    _draw(folder / "calibration.png", calibrations, pairs)


def _row(entry: Calibration) -> str:
    found = entry.report
    inside = " / ".join(f"{100 * found[f'inside {share}']:.0f} %" for share in SHARES)
    factors = " / ".join(f"{radius:.2f}" for radius in entry.radii.values())
    sizes = f"{found['error']:.2f}, {found['stated']:.2f}"
    return f"| {_name(entry)} | {found['within']:.2f} | {found['across']:.2f} | {inside} | {sizes} | {factors} |"


def _name(entry: Calibration) -> str:
    made = "samples" if entry.sampled else "field"
    return f"refined from the {made}" if entry.refined else f"{made} alone"


def _verdict(entry: Calibration) -> str:
    if not entry.localizes:
        return (
            f"Of the {_name(entry)} it says how large errors are, but hardly where: {entry.report['within']:.2f} "
            f"within a pair, where {_WITHIN_GOAL} is asked for; the panel says so."
        )
    across = "and" if entry.report["across"] >= _ACROSS_GOAL else "but not"
    return f"Of the {_name(entry)} it says where errors are, {across} which pairs have large ones."


def _draw(path: Path, calibrations: Calibrations, pairs: Sequence[Sequence[Observed]]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    *clouds, coverage = figure.subplots(1, len(calibrations.entries) + 1)
    for axes, entry in zip(clouds, calibrations.entries, strict=True):
        stated, error = _told(entry, pairs)
        axes.loglog(stated, error, ".", markersize=1, alpha=0.3, color="0.4", rasterized=True)
        edges = np.quantile(stated, np.linspace(0, 1, 11))
        groups = [error[(stated >= low) & (stated <= high)] for low, high in itertools.pairwise(edges)]
        middles = np.sqrt(edges[:-1] * edges[1:])
        axes.loglog(middles, [np.sqrt((g**2).mean()) for g in groups], "o-", color="tab:red", label="RMS error")
        axes.loglog([edges[0], edges[-1]], [edges[0], edges[-1]], "k--", label="as stated")
        axes.set(title=_name(entry), xlabel="stated error, mm", ylabel="true error, mm", ylim=(0.05, 60))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.legend(loc="lower right")
        shares = np.array([0.0, *SHARES])
        inside = [0.0, *(entry.report[f"inside {share}"] for share in SHARES)]
        coverage.plot(100 * shares, 100 * np.array(inside), "o-", label=_name(entry))
    coverage.plot([0, 100], [0, 100], "k--")
    coverage.set(title="coverage", xlabel="region, %", ylabel="errors inside, %")
    coverage.legend()
    figure.savefig(path, dpi=90)


def _told(entry: Calibration, pairs: Sequence[Sequence[Observed]]) -> tuple[NDArray, NDArray]:
    """Return stated and true errors of points of all ``pairs``."""
    seen = [each for pair in pairs for each in pair if each.refined is entry.refined]
    stated, errors = [entry.stated(each.clues)[:_SHOWN] for each in seen], [each.error[:_SHOWN] for each in seen]
    return np.concatenate(stated), np.concatenate(errors)
