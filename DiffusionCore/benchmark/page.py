"""The page of a benchmark: a table for each kind of pairs, and a picture of quality against time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

Row = dict[str, Any]
_ACROSS = 4  # panels of the picture


@dataclass(frozen=True)
class Column:
    """A number of the rows, as the table shows it."""

    key: str
    title: str
    digits: int


COLUMNS = (
    Column("dice", "Dice", 3),
    Column("dice_subcortical", "subcortical", 3),
    Column("dice_cortical", "cortical", 3),
    Column("hd95", "HD95 mm", 2),
    Column("landmark_error", "landmarks mm", 2),
    Column("true_error", "true error mm", 2),
    Column("local_correlation", "LNCC", 3),
    Column("mutual_information", "MI", 3),
    Column("percent_folded", "folded %", 4),
    Column("log_deviation", "SD log J", 3),
    Column("smallest_jacobian", "min J", 2),
    Column("gradient_rms", "RMS grad u", 3),
    Column("cpu", "CPU s", 1),
    Column("wall", "wall s", 1),
    Column("memory_peak", "memory MB", 0),
)


def write_page(path: Path, rows: Sequence[Row], *, title: str, facts: Sequence[str], picture: str | None) -> None:
    """Write the Markdown page: ``facts`` as a list, then for each ``group`` the means and the pairs one by one."""
    lines = [f"# {title}", "", *(f"- {fact}" for fact in facts), ""]
    if picture:
        lines += [f"![Dice against CPU seconds, a mark for every contestant]({picture})", ""]
    for name in dict.fromkeys(map(group, rows)):
        inside = [row for row in rows if group(row) == name]
        pairs = list(dict.fromkeys(row["pair"] for row in inside))
        lines += [f"## {name}", ""]
        if len(pairs) > 1:
            lines += [
                f"Mean of {len(pairs)} pairs; a contestant without a result for one has the mean of the others.",
                "",
            ]
            lines += [*_table(_means(inside), "contestant"), ""]
        for pair in pairs:
            lines += [f"### {pair}", "", *_table([row for row in inside if row["pair"] == pair], "contestant"), ""]
    path.write_text("\n".join(lines), encoding="utf-8")


def group(row: Row) -> str:
    """Return what ``row`` is compared with others in: its data set, the contrast and the spacing of the images."""
    contrast, spacing = row.get("contrast", "same"), row.get("spacing")
    seen = "images as they lie there" if spacing is None else f"images of {spacing:g} mm"
    return ", ".join([row["data_set"], *([] if contrast == "same" else [f"moving image {contrast}"]), seen])


def draw_picture(path: Path, rows: Sequence[Row]) -> bool:
    """Draw a panel for each ``group`` with labels; return False if there is nothing to draw or no matplotlib."""
    try:
        import matplotlib
    except ModuleNotFoundError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    names = [name for name in dict.fromkeys(map(group, rows)) if _measured(rows, name)]
    if not names:
        return False
    across = min(len(names), _ACROSS)
    down = -(-len(names) // across)
    figure, axes = pyplot.subplots(
        down, across, figsize=(4.2 * across, 3.6 * down), squeeze=False, layout="constrained"
    )
    for axis in axes.flat[len(names) :]:
        axis.remove()
    for axis, name in zip(axes.flat, names, strict=False):
        for mean in _means(_measured(rows, name)):
            ours = mean["contestant"].startswith("ours")
            axis.plot(mean["cpu"], mean["dice"], "o" if ours else "s", color="tab:blue" if ours else "0.45")
            aside = {"ha": "right", "xytext": (-6, -3)} if ours else {"ha": "left", "xytext": (6, -3)}
            axis.annotate(mean["contestant"], (mean["cpu"], mean["dice"]), textcoords="offset points", size=7, **aside)
        axis.set_title(name, fontsize=9)
        axis.set(xscale="log", xlabel="CPU seconds", ylabel="mean Dice")
        axis.margins(0.3, 0.15)
        axis.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter(ticker.ScalarFormatter())
        axis.xaxis.set_minor_locator(ticker.NullLocator())
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return True


def _measured(rows: Sequence[Row], name: str) -> list[Row]:
    known = [row for row in rows if group(row) == name]
    return [row for row in known if row.get("dice") is not None and row.get("cpu") is not None]


def _means(rows: Sequence[Row]) -> list[Row]:
    """Return a row for each contestant: the means of its numbers, and the number of pairs that went well."""
    means, pairs = [], len({row["pair"] for row in rows})
    for contestant in dict.fromkeys(row["contestant"] for row in rows):
        own = [row for row in rows if row["contestant"] == contestant]
        good = [row for row in own if row["status"] == "ok"]
        values = {
            column.key: [row[column.key] for row in good if row.get(column.key) is not None] for column in COLUMNS
        }
        mean = {key: fmean(found) for key, found in values.items() if found}
        status = "ok" if len(good) == pairs else own[0]["status"] if not good else f"{len(good)} of {pairs} pairs"
        means.append({"contestant": contestant, **mean, "status": status})
    return means


def _table(rows: Sequence[Row], first: str) -> list[str]:
    columns = [column for column in COLUMNS if any(row.get(column.key) is not None for row in rows)]
    noted = any(row["status"] != "ok" for row in rows)
    lines = [[first, *(column.title for column in columns), *(["status"] if noted else [])]]
    lines.append(["---"] * len(lines[0]))
    for row in rows:
        cells = [_text(row.get(column.key), column.digits) for column in columns]
        lines.append([row[first], *cells, *([row["status"].replace("|", "/")] if noted else [])])
    return [f"| {' | '.join(line)} |" for line in lines]


def _text(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
