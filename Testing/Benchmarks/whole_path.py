"""Where the time of a registration from the shell goes: what is arithmetic, and what is not.

    python Testing/Benchmarks/whole_path.py --fixed F --moving M [--rounds N] [-- more arguments of register]

Every round is a process of its own that does what ``python -m DiffusionCore register`` does; each part is timed in CPU
seconds, which a busy machine changes least, without the parts inside it that have a row of their own. Medians over the
rounds. "Arithmetic" is what moves the transform: the affine phases, the images of each level, the refinement.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PARTS = {  # module, name -> the row
    ("DiffusionCore.commands.inputs", "read_volume"): "read the images",
    ("DiffusionCore.kernels.dispatch", "_loaded"): "load the kernels",
    ("DiffusionCore.commands.running", "register"): "arithmetic",
    ("DiffusionCore.affine.account", "Account"): "measure every step",
    ("DiffusionCore.commands.running", "measure"): "measure the result",
    ("DiffusionCore.commands.running", "regularity"): "measure the result",
    ("DiffusionCore.commands.running", "write_transform"): "write",
    ("DiffusionCore.commands.running", "write_volume"): "write",
    ("DiffusionCore.commands.running", "_draw"): "draw the picture",
}


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
    """Register in this process, and return the CPU seconds of each part."""
    clock = Clock()
    clock.enter("import")
    for module, _name in PARTS:
        importlib.import_module(module)
    importlib.import_module("torch")
    clock.leave()
    for (module, name), part in PARTS.items():
        owner = sys.modules[module]
        if hasattr(owner, name):
            setattr(owner, name, clock.timed(part, getattr(owner, name)))
    from DiffusionCore.__main__ import main as shell

    code = shell(arguments)
    clock.enter("the rest")
    if code:
        raise SystemExit(code)
    return clock.spent


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fixed", type=Path, required=True)
    parser.add_argument("--moving", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("more", nargs="*", help="further arguments of register, after --")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["register", "--fixed", str(options.fixed), "--moving", str(options.moving), "--output", folder]
        if options.one:
            sys.stdout.write(json.dumps(one_round([*arguments, *options.more])) + "\n")
            return
    command = [sys.executable, __file__, "--one", "--fixed", str(options.fixed), "--moving", str(options.moving)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    rounds = []
    for _ in range(options.rounds):
        done = subprocess.run([*command, "--", *options.more], stdout=subprocess.PIPE, env=environment, check=True)
        rounds.append(json.loads(done.stdout.splitlines()[-1]))
    medians = {part: statistics.median(each.get(part, 0.0) for each in rounds) for part in rounds[0]}
    total = sum(medians.values())
    sys.stdout.write("| part | CPU s | share |\n|---|---|---|\n")
    for part, seconds in sorted(medians.items(), key=lambda item: -item[1]):
        sys.stdout.write(f"| {part} | {seconds:.2f} | {100 * seconds / total:.0f} % |\n")
    sys.stdout.write(f"| all | {total:.2f} | |\n")


if __name__ == "__main__":
    main()
