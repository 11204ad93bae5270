"""Kill trainings at random moments, half-written files among them, and go on: prints what came of it as JSON.

    python Testing/Core/killed_trainings.py FOLDER [KILLS]

Each training is a fork of this process, so it costs no start, and it kills itself at a moment that is counted, not
timed: a loss, a file of which half is written, a file that is about to take its place.
"""

import json
import os
import random
import signal
import sys
from dataclasses import replace
from pathlib import Path

import torch
from line_recipe import SETTINGS, LineRecipe

from DiffusionCore.storage.checkpoint import load_checkpoint, read_description
from DiffusionCore.training.folder import LOG, STATE, WEIGHTS
from DiffusionCore.training.loop import train

OFTEN = replace(SETTINGS, steps=400, log_every=1, validate_every=15, save_every=10, keep=2)


class Moments:
    """Counts the moments of a training, and kills it at the ``last`` one."""

    def __init__(self, last: int) -> None:
        self._left = last

    def passed(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class CountedRecipe(LineRecipe):
    def __init__(self, moments: Moments) -> None:
        super().__init__()
        self._moments = moments

    def loss(self, network, *batch):
        self._moments.passed()
        return super().loss(network, *batch)


def count_files(moments: Moments) -> None:
    """Let this process count what it does to files, too."""
    write, move = Path.write_bytes, os.replace

    def write_bytes(path: Path, data: bytes) -> int:
        write(path, data[: len(data) // 2])
        moments.passed()
        return write(path, data)

    def replace_file(source: Path, target: Path) -> None:
        moments.passed()
        move(source, target)

    Path.write_bytes, os.replace = write_bytes, replace_file


def trained(output: Path, last: int) -> bool:
    """Train in a fork that kills itself at its moment ``last``; return whether it came to its end before."""
    child = os.fork()
    if child == 0:
        moments = Moments(last)
        count_files(moments)
        train(CountedRecipe(moments), output, OFTEN)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def main(folder: Path, kills: int) -> None:
    train(LineRecipe(), folder / "whole", OFTEN)
    output, chance, lost, unfinished = folder / "killed", random.Random(0), [], 0
    while not trained(output, chance.randint(5, 2 * OFTEN.steps * 16 // (10 * kills)) if len(lost) < kills else 0):
        reached = sum(1 for _ in (output / LOG).open()) if (output / LOG).exists() else 0
        saved = read_description(output / STATE)["card"]["step"] if (output / STATE).exists() else 0
        lost.append(reached - saved)
        unfinished += any(output.glob(".writing-*"))
    same = [
        torch.equal(tensor, load_checkpoint(output / name).weights[key])
        for name in (STATE, WEIGHTS)
        for key, tensor in load_checkpoint(folder / "whole" / name).weights.items()
    ]
    rows = [json.loads(line)["step"] for line in (output / LOG).read_text().splitlines()]
    found = {
        "kills": len(lost),
        "most steps lost": max(lost),
        "kills in the middle of a file": unfinished,
        "same weights": all(same),
        "every step logged once": rows == list(range(1, OFTEN.steps + 1)),
        "left over": [path.name for path in output.glob(".writing-*")],
    }
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20)
