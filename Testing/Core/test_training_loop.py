"""The loop resumes exactly, refuses what does not fit, and says what happens."""

import itertools
import json
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from DiffusionCore.checks import CheckpointError, DiffusionCoreError
from DiffusionCore.storage.checkpoint import load_checkpoint
from DiffusionCore.training.loop import LOG, STATE, WEIGHTS, LoopSettings, learning_rate_factor, train


@dataclass(frozen=True)
class LineConfig:
    slope: float = 2.0


class LineRecipe:
    """Learn y = slope x + 1 with a small network."""

    kind, batch = "line", 16

    def __init__(self, config=None):
        self.config = config or LineConfig()

    def network(self):
        return nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))

    def draw(self, generator):
        x = torch.randn(self.batch, 1, generator=generator)
        return x, self.config.slope * x + 1

    def loss(self, network, x, y):
        error = (network(x) - y).square().mean()
        return error, {"error": error.item()}


SETTINGS = LoopSettings(
    steps=60, learning_rate=0.03, warm_up=5, bfloat16=False, log_every=10, validate_every=20, save_every=25, seed=3
)


def stopper(steps):
    calls = iter(range(10**6))
    return lambda: next(calls) >= steps - 1


def test_stopping_and_starting_again_equals_running_through(tmp_path):
    train(LineRecipe(), tmp_path / "whole", SETTINGS)
    train(LineRecipe(), tmp_path / "parts", SETTINGS, should_stop=stopper(23))
    assert load_checkpoint(tmp_path / "parts" / STATE).card["step"] == 23
    train(LineRecipe(), tmp_path / "parts", SETTINGS)
    for name in (STATE, WEIGHTS):
        whole, parts = (load_checkpoint(tmp_path / run / name).weights for run in ("whole", "parts"))
        assert whole.keys() == parts.keys()
        assert all(torch.equal(whole[key], parts[key]) for key in whole)


def test_training_learns_and_logs_what_it_does(tmp_path):
    rows = []
    train(LineRecipe(), tmp_path, SETTINGS, on_log=rows.append)
    logged = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    assert [row["step"] for row in logged] == [10, 20, 30, 40, 50, 60] == [row["step"] for row in rows]
    assert logged[-1]["loss"] < 0.5 * logged[0]["loss"]
    assert logged[5]["validation"] < logged[1]["validation"]


def test_the_card_says_how_the_weights_were_made(tmp_path):
    weights = load_checkpoint(train(LineRecipe(), tmp_path, SETTINGS, card={"data": "a line"}), "line")
    assert weights.card["steps"] == 60
    assert weights.card["seed"] == 3
    assert weights.card["data"] == "a line"
    assert weights.config == {"slope": 2.0}


def test_a_run_of_another_configuration_is_refused_and_kept(tmp_path):
    train(LineRecipe(), tmp_path, SETTINGS, should_stop=stopper(1))
    before = (tmp_path / STATE).read_bytes()
    with pytest.raises(CheckpointError, match="another configuration"):
        train(LineRecipe(LineConfig(slope=5.0)), tmp_path, SETTINGS)
    assert (tmp_path / STATE).read_bytes() == before


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    with pytest.raises(DiffusionCoreError, match="learning_rate"):
        train(LineRecipe(LineConfig(slope=float("inf"))), tmp_path, SETTINGS)


def test_the_learning_rate_warms_up_and_ends_at_zero():
    factors = [learning_rate_factor(step, SETTINGS) for step in range(61)]
    assert factors[0] == pytest.approx(0.2)
    assert max(factors) == factors[5] == 1
    assert factors[60] == pytest.approx(0)
    assert all(a > b for a, b in itertools.pairwise(factors[5:]))
