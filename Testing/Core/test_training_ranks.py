"""Several processes train together: the same weights as one, an end with a reason, and any number goes on."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from line_recipe import LineRecipe
from line_trainer import OFTEN, PausedConfig, PausedRecipe

from DiffusionCore.checks import ConfigError
from DiffusionCore.storage.checkpoint import load_checkpoint
from DiffusionCore.training.batches import drawn_batches
from DiffusionCore.training.folder import LOG, RECORD, STATE, WEIGHTS
from DiffusionCore.training.loop import train
from DiffusionCore.training.ranks import Ranks
from DiffusionCore.training.settings import LoopSettings

CORE = Path(__file__).parent
FOUR = "accumulate=4"  # two batches for each of two processes, so that they sum in another order than one
TOLERANCE = 1e-5  # of weights of about 1, after 60 steps
ONE_DIES = """
import os, runpy, signal, sys
sys.path.insert(0, sys.argv[1])
import line_trainer
class Mortal(line_trainer.PausedRecipe):
    def loss(self, *given):
        self.losses = getattr(self, "losses", 0) + 1
        if os.environ["RANK"] == "1" and self.losses == 2 * 33:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().loss(*given)
line_trainer.RECIPES["line"] = line_trainer.Entry(Mortal, line_trainer.PausedConfig(), line_trainer.OFTEN, "a line")
sys.exit(line_trainer.main(sys.argv[2:]))
"""


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", f"{CORE.parents[1]}")


def train_alone(output, settings=("accumulate", 4)):
    name, value = settings
    train(PausedRecipe(PausedConfig()), output, LoopSettings(**{**vars(OFTEN), name: value}))


def assert_nearly_same_weights(first, second):
    for name in (STATE, WEIGHTS):
        a, b = (load_checkpoint(run / name).weights for run in (first, second))
        assert a.keys() == b.keys()
        assert all(torch.allclose(a[key].float(), b[key].float(), atol=TOLERANCE) for key in a)


def test_the_processes_deal_out_the_batches_of_one():
    settings = LoopSettings(steps=3, accumulate=4)
    alone, *shared = (
        [batch for drawn in drawn_batches(LineRecipe(), settings, 1, rank=rank, ranks=ranks) for batch in drawn.batches]
        for rank, ranks in ((0, 1), (0, 2), (1, 2))
    )
    assert len(alone) == 8
    assert [len(own) for own in shared] == [4, 4]
    dealt = [batch for turn in zip(*shared, strict=True) for batch in turn]
    assert all(torch.equal(one[0], other[0]) for one, other in zip(alone, dealt, strict=True))


def test_batches_that_cannot_be_shared_evenly_are_refused():
    with pytest.raises(ConfigError, match="'accumulate' must be a multiple of 2, got 3"):
        Ranks(0, 2).require_shares(3)


def test_two_processes_train_what_one_does(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, CORE / "line_trainer.py", "DiffusionCore", "train", "line", "--output", tmp_path / "two"]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    processes = [
        subprocess.Popen([*command, FOUR], env={**os.environ, **place, "RANK": rank, "LOCAL_RANK": rank})
        for rank in ("0", "1")
    ]
    train_alone(tmp_path / "one")
    assert [process.wait() for process in processes] == [0, 0]
    assert_nearly_same_weights(tmp_path / "one", tmp_path / "two")
    one, two = (
        [json.loads(line) for line in (tmp_path / run / LOG).read_text().splitlines()] for run in ("one", "two")
    )
    assert [row["step"] for row in two] == [row["step"] for row in one]
    assert all(abs(a["loss"] - b["loss"]) < 1e-4 for a, b in zip(one, two, strict=True))


def test_a_process_that_dies_ends_the_others_with_a_reason_and_one_goes_on_alone(tmp_path):
    (tmp_path / "script.py").write_text(ONE_DIES)
    launched = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launched, tmp_path / "script.py", CORE, "train", "line", "--output", tmp_path / "run", FOUR]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0
    assert "Another of the 2 processes of this training has ended" in done.stderr
    assert f"exitcode  : {-signal.SIGKILL}" in done.stderr  # torchrun says who
    record = json.loads((tmp_path / "run" / RECORD).read_text())
    assert record["outcome"] == "failed"
    assert "goes on from the last checkpoint" in record["message"]
    assert load_checkpoint(tmp_path / "run" / STATE).card["step"] == 30
    train_alone(tmp_path / "run")
    train_alone(tmp_path / "whole")
    assert_nearly_same_weights(tmp_path / "whole", tmp_path / "run")
