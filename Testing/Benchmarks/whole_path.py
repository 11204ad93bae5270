"""Where the time of a command of the shell goes: what is arithmetic, and what is not.

    python Testing/Benchmarks/whole_path.py [--rounds N] register --fixed F --moving M [--method affine]
                                                                                       [--preset accurate]
    python Testing/Benchmarks/whole_path.py [--rounds N] synthesize --image I --segmentation S [--count N]

Every round is a process of its own that does what ``python -m DiffusionCore`` does with these words and a folder for
``--output``; each part is timed in CPU seconds, which a busy machine changes least, without the parts inside it that
have a row of their own. Medians over the rounds. "Arithmetic" is what moves the transform: the affine phases, the
images of each level, the refinement; of a synthesis, what draws the deformations and sees the case through them.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import inspect
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from DiffusionCore.loading import starting

REGISTER = {  # module, name -> the row
    ("DiffusionCore.commands.inputs", "read_volume"): "read the images",
    ("DiffusionCore.kernels.dispatch", "_loaded"): "load the kernels",
    ("DiffusionCore.kernels.dispatch", "_Kernels.tested"): "load the kernels",
    ("DiffusionCore.commands.running", "register"): "arithmetic",
    ("DiffusionCore.affine.account", "StepAccount.step"): "measure every step",
    ("DiffusionCore.commands.running", "measure"): "measure the result",
    ("DiffusionCore.commands.running", "regularity"): "measure the result",
    ("DiffusionCore.commands.running", "write_transform"): "write",
    ("DiffusionCore.commands.running", "write_volume"): "write",
    ("DiffusionCore.commands.running", "_draw"): "draw the picture",
}
SYNTHESIZE = {
    ("DiffusionCore.synthesis.inputs", "SubjectFiles.read"): "read the images",
    ("DiffusionCore.synthesis.batch", "_fingerprint"): "read the images",
    ("DiffusionCore.kernels.dispatch", "_loaded"): "load the kernels",
    ("DiffusionCore.kernels.dispatch", "_Kernels.tested"): "load the kernels",
    ("DiffusionCore.synthesis.synthesizer", "Anatomy.of"): "know the case",
    ("DiffusionCore.synthesis.synthesizer", "Synthesizer.variant"): "arithmetic",
    ("DiffusionCore.synthesis.synthesizer", "check_sample"): "check the variants",
    ("DiffusionCore.synthesis.synthesizer", "LabelStatistics.of"): "check the variants",
    ("DiffusionCore.synthesis.layouts.base", "Layout.write_volumes"): "write",
    ("DiffusionCore.synthesis.layouts.base", "Layout.write_json"): "write",
}
PARTS = {"register": REGISTER, "synthesize": SYNTHESIZE}
PINNED = {"synthesize": ["--workers", "1"]}  # the process that is measured


class Clock:
    """Adds up the CPU seconds of parts, each without those inside it."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._running: list[str] = ["the rest"]
        self._since = time.process_time()

    def enter(self, part: str) -> None:
        self._book()
        self._running.append(part)

    def leave(self) -> None:
        self._book()
        self._running.pop()

    def _book(self) -> None:
        now = time.process_time()
        self.spent[self._running[-1]] = self.spent.get(self._running[-1], 0.0) + now - self._since
        self._since = now

    def timed(self, part: str, function: Any) -> Any:
        """Return ``function`` with its time booked on ``part``."""

        @functools.wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            self.enter(part)
            try:
                return function(*arguments, **named)
            finally:
                self.leave()

        return call


def one_round(arguments: list[str]) -> dict[str, float]:
    """Do what ``arguments`` say in this process, and return the CPU seconds of each part."""
    parts, clock = PARTS[arguments[0]], Clock()
    clock.enter("import")
    with starting():  # as the commands do
        for module, _name in parts:
            importlib.import_module(module)
        importlib.import_module("torch")
    clock.leave()
    for (module, name), part in parts.items():
        *within, last = name.split(".")
        owner = functools.reduce(getattr, within, sys.modules[module])
        bound = inspect.ismethod(getattr(owner, last))  # to its class: it gets no other argument
        timed = clock.timed(part, getattr(owner, last))
        setattr(owner, last, staticmethod(timed) if bound else timed)
    from DiffusionCore.__main__ import main as shell

    code = shell(arguments)
    clock.enter("the rest")
    if code:
        raise SystemExit(code)
    return clock.spent


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("command", choices=list(PARTS))
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="of the command, without --output")
    options = parser.parse_args()
    words = [options.command, *options.arguments]
    if options.one:
        with tempfile.TemporaryDirectory() as folder:
            spent = one_round([*words, "--output", str(Path(folder) / "output"), *PINNED.get(options.command, [])])
        sys.stdout.write(json.dumps(spent) + "\n")
        return
    command = [sys.executable, __file__, "--one", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    rounds = []
    for _ in range(options.rounds):
        done = subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=True)
        rounds.append(json.loads(done.stdout.splitlines()[-1]))
    medians = {part: statistics.median(each.get(part, 0.0) for each in rounds) for part in rounds[0]}
    total = sum(medians.values())
    sys.stdout.write("| part | CPU s | share |\n|---|---|---|\n")
    for part, seconds in sorted(medians.items(), key=lambda item: -item[1]):
        sys.stdout.write(f"| {part} | {seconds:.2f} | {100 * seconds / total:.0f} % |\n")
    sys.stdout.write(f"| all | {total:.2f} | |\n")


if __name__ == "__main__":
    main()
