"""How fast the kernels and losses are on this machine, beside torch and what others use for the same.

    python Testing/Benchmarks/kernels.py [--sizes 64 160x192x224] [--threads 1 2] [--rounds N] [--only WORD ...]
                                         [--output FOLDER]

Every contestant computes once in each round, one after the other; a ratio is the median over the rounds of its time to
ours in the same round, its spread the distance of the quartiles. With one thread times are CPU seconds, which a busy
machine changes least. "torch" are our own operations without kernels. MONAI takes part where it is installed. The field
is smooth, of 3 voxels. ``--output`` gets the table ``kernels.md`` and ``kernels.json``, a list of {benchmark, size,
threads, device, peer, ratio, spread}.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import SimpleITK as sitk
import torch
from kernel_contests import Call, Contest


@dataclass(frozen=True)
class Row:
    """What one contestant, ``peer``, needs: ``ratio`` times our time."""

    benchmark: str
    size: str
    threads: int
    device: str
    peer: str
    ratio: float
    spread: float
    milliseconds: float


def measure(calls: dict[str, Call], rounds: int, clock: Callable[[], float]) -> list[tuple[str, float, float, float]]:
    """Return (contestant, median ms, median ratio to the first one, spread of the ratio) of ``calls``."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, call in calls.items():
            begun = clock()
            call()
            if number:  # the first round compiles
                times[name].append(clock() - begun)
    first = next(iter(times.values()))
    rows = []
    for name, taken in times.items():
        ratios = [t / own for t, own in zip(taken, first, strict=True)]
        low, *_, high = statistics.quantiles(ratios, n=4)
        rows.append((name, 1000 * statistics.median(taken), statistics.median(ratios), high - low))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["64", "160x192x224"], help="voxels: of a cube, or along k, j, i")
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", nargs="+", default=[""], help="words that a benchmark's name begins with")
    parser.add_argument("--without", nargs="+", default=[], help="contestants to leave out")
    parser.add_argument("--output", type=Path, help="folder for the table and the JSON list")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows: list[Row] = []
    for size in options.sizes:
        shape = tuple(map(int, size.split("x"))) if "x" in size else (int(size),) * 3
        table = Contest(shape).calls()
        for threads in options.threads:
            torch.set_num_threads(threads)
            sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
            clock = time.process_time if threads == 1 else time.perf_counter
            for name, calls in table.items():
                if not any(name.startswith(word) for word in options.only):
                    continue
                chosen = {peer: call for peer, call in calls.items() if peer not in options.without}
                for peer, ms, ratio, spread in measure(chosen, options.rounds, clock):
                    rows.append(Row(name, size, threads, "cpu", peer, round(ratio, 2), round(spread, 2), round(ms, 3)))
                    sys.stdout.write(_line(rows[-1]) + "\n")
                    sys.stdout.flush()
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        facts = f"{platform.processor() or platform.machine()}, torch {torch.__version__}, {options.rounds} rounds."
        head = "| benchmark | size | threads | peer | ms | times ours | spread |\n" + 7 * "| --- " + "|"
        lines = [facts, "", head, *map(_line, rows), ""]
        (options.output / "kernels.md").write_text("\n".join(lines), encoding="utf-8")
        (options.output / "kernels.json").write_text(
            json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8"
        )
    return 0


def _line(row: Row) -> str:
    cells = (
        row.benchmark,
        row.size,
        row.threads,
        row.peer,
        f"{row.milliseconds:.2f}",
        f"{row.ratio:.2f}",
        f"{row.spread:.2f}",
    )
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    sys.exit(main())
