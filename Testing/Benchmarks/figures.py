"""The figures of a suite: ratios as bars, time along its scaling curves, and what more threads bring."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from Testing.Benchmarks.race import Row
from Testing.Benchmarks.results import races_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

_OURS = "black"
_ACROSS = 4  # panels
_LINE = 0.17  # inches for each bar
_LEFT = 2.6  # inches for the names


def draw_figures(folder: Path, suite: str, rows: Sequence[Row]) -> dict[str, str]:
    """Draw what there is to draw of ``rows`` into ``folder``; return file name -> title. Needs matplotlib."""
    races = races_of(rows)
    if not races:
        return {}
    counts = [row.threads for row in rows]
    few = [race for race in races if race[0].threads == min(counts)]
    many = [race for race in races if race[0].threads == max(counts)]
    colors = _colors(races)
    words = f"{min(counts)} thread{'s' * (min(counts) > 1)}"
    drawn = {}
    for ending, title, figure in (
        ("", f"Times our time, and its spread; {words}", _ratios(_largest(few), colors)),
        ("-curves", f"How time grows; {words}", _curves(few, colors)),
        ("-threads", f"How many times faster with {max(counts)} threads than with {words}", _gains(few, many, colors)),
    ):
        if figure is not None:
            figure.suptitle(title, fontsize=10)
            drawn[f"{suite}{ending}.png"] = title
            figure.savefig(folder / f"{suite}{ending}.png", dpi=110)
    return drawn


def _ratios(races: Sequence[Sequence[Row]], colors: dict[str, str]) -> Figure | None:
    """Draw a bar for each contestant but ours, which is the line at 1."""
    races = [race for race in races if len(race) > 1]
    if not races:
        return None
    others = [row for race in races for row in race[1:]]
    figure, axes, tops = _lined(races, [len(race) - 1 for race in races])
    axes.set_xscale("log")
    for race, top in zip(races, tops, strict=True):
        for number, row in enumerate(race[1:]):
            place = top + number
            low, high = max(row.ratio - row.spread / 2, 0.5 * row.ratio), row.ratio + row.spread / 2
            axes.barh(place, row.ratio - 1, 0.85, left=1, color=colors[row.peer])
            axes.plot([low, high], [place, place], color="0.2", linewidth=1)
            axes.annotate(
                f"{row.ratio:.2g}" if row.ratio < 10 else f"{row.ratio:.0f}",
                (max(high, 1), place),
                (3, 0),
                textcoords="offset points",
                va="center",
                fontsize=7,
            )
    axes.set_xlim(min(0.5, 0.7 * min(row.ratio for row in others)), 1.7 * max(row.ratio + row.spread for row in others))
    axes.axvline(1, color=_OURS, linewidth=1.2)
    _plain_ticks(axes.xaxis)
    _name(figure, (row.peer for row in others), colors)
    return figure


def _gains(few: Sequence[Sequence[Row]], many: Sequence[Sequence[Row]], colors: dict[str, str]) -> Figure | None:
    """Draw a mark for each contestant of the largest races, where the numbers of threads differ."""
    before = {_key(row): row.milliseconds for race in few for row in race}
    races = [race for race in _largest(many) if all(_key(row) in before for row in race)]
    if not races or many[0][0].threads == few[0][0].threads:
        return None
    figure, axes, tops = _lined(races, [1.3] * len(races))
    for race, top in zip(races, tops, strict=True):
        for row in race[::-1]:  # ours above the others
            axes.plot(before[_key(row)] / row.milliseconds, top, "o", color=colors[row.peer], alpha=0.85, markersize=5)
    axes.axvline(1, color="0.6", linewidth=1)
    axes.set_xlim(left=0)
    _name(figure, (row.peer for race in races for row in race), colors)
    return figure


def _curves(races: Sequence[Sequence[Row]], colors: dict[str, str]) -> Figure | None:
    """Draw a panel for each curve of more than one point: the time for each voxel, channel, step, ..."""
    found: dict[tuple[str, str], list[Row]] = {}
    for race in races:
        if race[0].along:
            found.setdefault((race[0].benchmark, race[0].along), []).extend(race)
    found = {key: rows for key, rows in found.items() if len({row.at for row in rows}) > 1}
    if not found:
        return None
    across = min(_ACROSS, len(found))
    down = -(-len(found) // across)
    figure = _figure(max(3.2 * across, 4.5), 2.6 * down + 0.9)
    panels = figure.subplots(down, across, squeeze=False)
    for axes in panels.flat[len(found) :]:
        axes.remove()
    for axes, ((benchmark, along), rows) in zip(panels.flat, found.items(), strict=False):
        unit, scale = ("ns", 1e6) if along == "voxels" else ("ms", 1)
        axes.set(xscale="log", yscale="log")
        for peer in dict.fromkeys(row.peer for row in rows):
            own = sorted((row for row in rows if row.peer == peer), key=lambda row: row.at)
            times = [scale * row.milliseconds / row.at for row in own]
            axes.plot([row.at for row in own], times, "o-", color=colors[peer], markersize=3.5, linewidth=1.2)
        axes.set_title(benchmark, fontsize=8)
        axes.set_xlabel(along, fontsize=7)
        axes.set_ylabel(f"{unit} per {along.removesuffix('s')}", fontsize=7)
        axes.tick_params(labelsize=7, which="both")
        _plain_ticks(axes.yaxis)
        places = sorted({row.at for row in rows})
        axes.set_xticks(places, [f"{round(at ** (1 / 3))}³" if along == "voxels" else f"{at:g}" for at in places])
        axes.set_xticks([], minor=True)
    _name(figure, (row.peer for rows in found.values() for row in rows), colors)
    return figure


def _largest(races: Sequence[Sequence[Row]]) -> list[Sequence[Row]]:
    """Return of each curve the race at its last point, and all races that are on none."""
    last: dict[tuple[str, str], float] = {}
    for race in races:
        key = race[0].benchmark, race[0].along
        last[key] = max(race[0].at, last.get(key, race[0].at))
    return [race for race in races if race[0].at == last[race[0].benchmark, race[0].along]]


def _key(row: Row) -> tuple[str, str, float, str]:
    return row.benchmark, row.size, row.at, row.peer


def _colors(races: Sequence[Sequence[Row]]) -> dict[str, str]:
    """Return contestant -> color, the same in all figures of a suite; ours are black."""
    ours = {race[0].peer for race in races}
    others = dict.fromkeys(row.peer for race in races for row in race if row.peer not in ours)
    return dict.fromkeys(ours, _OURS) | {peer: f"C{number % 10}" for number, peer in enumerate(others)}


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _lined(races: Sequence[Sequence[Row]], heights: Sequence[float]) -> tuple[Figure, Axes, list[float]]:
    """Return a figure with the names of ``races`` below each other, and the first of the lines that each has."""
    tops, total = [], 0.0
    for height in heights:
        tops.append(total)
        total += height + 0.8
    figure = _figure(_LEFT + 6.4, _LINE * total + 1.1)
    axes = figure.add_subplot()
    axes.set_ylim(total - 0.8, -1)
    middles = [top + (height - 1) / 2 for top, height in zip(tops, heights, strict=True)]
    axes.set_yticks(middles, [f"{race[0].benchmark}\n{race[0].size}" for race in races], fontsize=7)
    axes.tick_params(axis="x", labelsize=7, which="both")
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes, tops


def _plain_ticks(axis: Axis) -> None:
    """Write 2 instead of 2 x 10^0."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _name(figure: Figure, peers: Iterable[str], colors: dict[str, str]) -> None:
    from matplotlib.lines import Line2D

    present = set(peers)
    shown = [peer for peer in colors if peer in present]
    marks = [Line2D([], [], color=colors[peer], marker="o", linewidth=0) for peer in shown]
    inches = 0.5 + 0.075 * max(map(len, shown), default=0)  # of the longest name with its mark
    columns = max(1, min(len(shown), int(figure.get_figwidth() / inches)))
    figure.legend(marks, shown, loc="outside lower center", ncols=columns, fontsize=8, frameon=False)
