"""The loop resumes exactly, refuses what does not fit, and says what happens."""

import itertools
import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from line_recipe import SETTINGS, LineConfig, LineRecipe

from DiffusionCore.checks import CheckpointError, DeviceError, DiffusionCoreError
from DiffusionCore.storage.checkpoint import load_checkpoint
from DiffusionCore.training.loop import LOG, STATE, WEIGHTS, LoopSettings, learning_rate_factor, train

CORE = Path(__file__).parent
KILLED = """
import os, signal, sys
from pathlib import Path
from line_recipe import SETTINGS, LineRecipe
from DiffusionCore.training.loop import train
count = iter(range(10**6))
kill = lambda: next(count) == 46 and os.kill(os.getpid(), signal.SIGKILL)
train(LineRecipe(), Path(sys.argv[1]), SETTINGS, should_stop=kill)
"""


def stopper(steps):
    calls = iter(range(10**6))
    return lambda: next(calls) >= steps - 1


def logged_steps(run):
    return [json.loads(line)["step"] for line in (run / LOG).read_text().splitlines()]


def assert_same_weights(first, second):
    for name in (STATE, WEIGHTS):
        whole, parts = (load_checkpoint(run / name).weights for run in (first, second))
        assert whole.keys() == parts.keys()
        assert all(torch.equal(whole[key], parts[key]) for key in whole)


def test_stopping_and_starting_again_equals_running_through(tmp_path):
    train(LineRecipe(), tmp_path / "whole", SETTINGS)
    train(LineRecipe(), tmp_path / "parts", SETTINGS, should_stop=stopper(23))
    assert load_checkpoint(tmp_path / "parts" / STATE).card["step"] == 23
    train(LineRecipe(), tmp_path / "parts", SETTINGS)
    assert_same_weights(tmp_path / "whole", tmp_path / "parts")


def test_killed_and_started_again_equals_running_through_and_logs_every_step_once(tmp_path):
    paths = {"PYTHONPATH": f"{CORE.parents[1]}:{CORE}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "killed"], env=paths, capture_output=True)
    assert done.returncode == -signal.SIGKILL
    assert load_checkpoint(tmp_path / "killed" / STATE).card["step"] == 25
    assert logged_steps(tmp_path / "killed") == [10, 20, 30, 40]
    with (tmp_path / "killed" / LOG).open("a") as log:
        log.write('{"step": 50, "lo')  # killed in the middle of a row
    train(LineRecipe(), tmp_path / "killed", SETTINGS)
    train(LineRecipe(), tmp_path / "whole", SETTINGS)
    assert_same_weights(tmp_path / "whole", tmp_path / "killed")
    assert logged_steps(tmp_path / "killed") == logged_steps(tmp_path / "whole") == [10, 20, 30, 40, 50, 60]


def test_a_run_that_has_ended_is_not_trained_further(tmp_path):
    train(LineRecipe(), tmp_path, SETTINGS)
    before = {name: (tmp_path / name).read_bytes() for name in (STATE, WEIGHTS, LOG)}
    again = LineRecipe()
    assert train(again, tmp_path, SETTINGS) == tmp_path / WEIGHTS
    assert not again.drawn
    assert before == {name: (tmp_path / name).read_bytes() for name in (STATE, WEIGHTS, LOG)}


def test_validation_and_every_seed_have_batches_of_their_own(tmp_path):
    recipes = [LineRecipe(), LineRecipe()]
    for seed, recipe in enumerate(recipes):
        train(recipe, tmp_path / str(seed), replace(SETTINGS, seed=seed))
    first, second = ([tuple(x.flatten().tolist()) for x in recipe.drawn] for recipe in recipes)
    assert len(set(first)) == len(set(second)) == SETTINGS.steps + 8  # 8 for validation, the same every time
    assert not set(first) & set(second)


def test_the_random_numbers_of_the_caller_are_left_alone(tmp_path):
    torch.manual_seed(0)
    state = torch.get_rng_state()
    train(LineRecipe(), tmp_path, SETTINGS)
    assert torch.equal(state, torch.get_rng_state())


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
    assert LoopSettings(**weights.card["settings"]) == SETTINGS
    assert weights.card["data"] == "a line"
    assert weights.config == {"slope": 2.0}


def test_a_run_of_another_configuration_is_refused_and_kept(tmp_path):
    train(LineRecipe(), tmp_path, SETTINGS, should_stop=stopper(1))
    before = (tmp_path / STATE).read_bytes()
    with pytest.raises(CheckpointError, match=r"slope: 2\.0 there, 5\.0 here"):
        train(LineRecipe(LineConfig(slope=5.0)), tmp_path, SETTINGS)
    with pytest.raises(CheckpointError, match="seed: 3 there, 4 here"):
        train(LineRecipe(), tmp_path, replace(SETTINGS, seed=4))
    assert (tmp_path / STATE).read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 0},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"warm_up": -1},
        {"weight_decay": -0.1},
        {"clip": 0.0},
        {"average": 1.5},
        {"average_gamma": 0.0},
        {"seed": -1},
        {"log_every": 0},
        {"validate_every": 0},
        {"save_every": 0},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused_by_name(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        replace(SETTINGS, **change)


def test_a_device_that_is_not_there_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(DeviceError, match="cuda:99"):
        train(LineRecipe(), tmp_path / "run", SETTINGS, device="cuda:99")
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    with pytest.raises(DiffusionCoreError, match="learning_rate"):
        train(LineRecipe(LineConfig(slope=float("inf"))), tmp_path, SETTINGS)


def test_the_learning_rate_warms_up_and_ends_at_zero():
    factors = [learning_rate_factor(step, SETTINGS) for step in range(61)]
    assert factors[0] == pytest.approx(0.2)
    assert max(factors) == factors[5] == 1
    assert factors[60] == pytest.approx(0)
    assert all(a > b for a, b in itertools.pairwise(factors[5:]))
