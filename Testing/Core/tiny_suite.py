"""A suite of the benchmarks that takes a second: two curves, a peer that nobody has, one that fails, and a person who
stops it."""

from collections.abc import Callable, Iterator

from Testing.Benchmarks.options import Options
from Testing.Benchmarks.race import Contest, Point


def contests(_: Options) -> Iterator[Contest]:
    for count in (2_000, 4_000):
        yield Contest(
            "adding",
            f"{count} numbers",
            {"ours": adding(count), "slow | peer": adding(3 * count), "other": adding(2 * count)},
            point=Point("numbers", count),
            notes={"other": lambda: "Dice .50"},
            missing={"absent": "pip install absent"},
        )
    yield Contest("failing", "1 number", {"ours": adding(100), "broken": broken})
    yield Contest("stopping", "1 number", {"ours": stopping})


def adding(count: int) -> Callable[[], object]:
    return lambda: sum(range(count))


def broken() -> None:
    raise RuntimeError("out of memory")


def stopping() -> None:
    raise KeyboardInterrupt  # the signal itself is ignored by whatever runs in the background of a shell
