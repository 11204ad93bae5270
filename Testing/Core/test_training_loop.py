"""The loop resumes exactly, refuses what does not fit, and says what happens."""

import itertools
import json
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from line_recipe import SETTINGS, LineRecipe, assert_same_weights, stopper

from DiffusionCore.models import read_card
from DiffusionCore.storage.checkpoint import load_checkpoint
from DiffusionCore.training.batches import AHEAD, batch_generator, drawn_batches
from DiffusionCore.training.folder import BEST, CONFIG, LOG, STATE, WEIGHTS
from DiffusionCore.training.loop import train
from DiffusionCore.training.settings import LoopSettings, learning_rate_factor

CORE = Path(__file__).parent


class SteeperRecipe(LineRecipe):
    """A line that suddenly is another one for training, after 25 batches; validation stays."""

    def loss(self, network, x, y):
        made = torch.is_grad_enabled()
        self.losses = getattr(self, "losses", 0) + made
        return super().loss(network, x, -y if made and self.losses > 25 else y)


def logged_steps(run):
    return [json.loads(line)["step"] for line in (run / LOG).read_text().splitlines()]


def test_stopping_and_starting_again_equals_running_through(tmp_path):
    train(LineRecipe(), tmp_path / "whole", SETTINGS)
    train(LineRecipe(), tmp_path / "parts", SETTINGS, should_stop=stopper(23))
    assert load_checkpoint(tmp_path / "parts" / STATE).card["step"] == 23
    with (tmp_path / "parts" / LOG).open("a") as log:
        log.write('{"step": 30, "loss": 1.0}\n{"step": 40, "lo')  # killed later, in the middle of a row
    train(LineRecipe(), tmp_path / "parts", SETTINGS)
    assert logged_steps(tmp_path / "parts") == [10, 20, 23, 30, 40, 50, 60]
    assert_same_weights(tmp_path / "whole", tmp_path / "parts")


def test_killed_at_any_moment_it_goes_on_to_the_same_weights(tmp_path):
    paths = {"PYTHONPATH": f"{CORE.parents[1]}:{CORE}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, CORE / "killed_trainings.py", tmp_path, "20"]
    done = subprocess.run(command, env=paths, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["kills"] >= 10
    assert found["kills in the middle of a file"] >= 3
    assert found["most steps lost"] <= 10  # the interval of the checkpoints
    assert (found["same weights"], found["every step logged once"], found["left over"]) == (True, True, [])


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
    described = json.loads((tmp_path / CONFIG).read_text())
    assert described == {"kind": "line", "config": weights.config, "settings": asdict(SETTINGS), "data": "a line"}


def test_a_training_can_begin_with_the_weights_of_another(tmp_path):
    begun = train(LineRecipe(), tmp_path / "first", SETTINGS)
    rows, settings = [], replace(SETTINGS, begin=str(begun), steps=20, learning_rate=1e-6, seed=4)
    train(LineRecipe(), tmp_path / "second", settings, on_log=rows.append)
    assert rows[0]["loss"] < 0.5  # about where the first one ended; an untrained line has 5
    begun.unlink()
    train(LineRecipe(), tmp_path / "second", replace(settings, steps=30), on_log=rows.append)  # needs it no more
    assert [row["step"] for row in rows] == [10, 20, 30]


def test_accumulated_batches_are_one_large_batch(tmp_path):
    class Large(LineRecipe):
        batch = 64

        def draw(self, generator):
            parts = [LineRecipe().draw(batch_generator(SETTINGS.seed, number)) for number in range(4)]
            return tuple(torch.cat(tensors) for tensors in zip(*parts, strict=True))

    once = replace(SETTINGS, steps=1)
    train(LineRecipe(), tmp_path / "parts", replace(once, accumulate=4))
    train(Large(), tmp_path / "large", once)
    parts, large = (load_checkpoint(tmp_path / run / STATE).weights for run in ("parts", "large"))
    moments = [name for name in large if name.endswith("exp_avg")]
    assert moments
    assert all(torch.allclose(parts[name], large[name], rtol=1e-5, atol=1e-8) for name in moments)


def test_batches_are_drawn_ahead_and_no_more_than_needed():
    recipe, settings = LineRecipe(), replace(SETTINGS, steps=12)
    batches = drawn_batches(recipe, settings, 0)
    next(batches)
    deadline = time.monotonic() + 10
    while len(recipe.drawn) < 1 + AHEAD and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert len(recipe.drawn) == 1 + AHEAD
    batches.close()
    assert len(recipe.drawn) == 1 + AHEAD
    assert len(list(drawn_batches(recipe, settings, 0))) == 12
    assert len(recipe.drawn) == 1 + AHEAD + 12


def test_processes_that_draw_change_nothing(tmp_path):
    settings = replace(SETTINGS, steps=30, accumulate=2)
    state = torch.get_rng_state()
    train(LineRecipe(), tmp_path / "thread", settings)
    train(LineRecipe(), tmp_path / "processes", replace(settings, workers=2), should_stop=stopper(7))
    train(LineRecipe(), tmp_path / "processes", replace(settings, workers=2))
    assert_same_weights(tmp_path / "thread", tmp_path / "processes")
    assert torch.equal(state, torch.get_rng_state())


def test_the_weights_of_the_best_validation_are_kept(tmp_path):
    rows = []
    train(SteeperRecipe(), tmp_path, replace(SETTINGS, validate_every=10), on_log=rows.append)
    losses = [row["validation"] for row in rows]
    best = load_checkpoint(tmp_path / BEST, "line").card["steps"]
    assert best == 10 * (1 + losses.index(min(losses))) < 60
    assert load_checkpoint(tmp_path / STATE).card["best"] == min(losses)


def test_the_last_step_is_validated_however_few_there_are(tmp_path):
    rows = []
    train(LineRecipe(), tmp_path, replace(SETTINGS, steps=13, validate_every=1000), on_log=rows.append)
    assert [row["step"] for row in rows if "validation" in row] == [13]
    assert load_checkpoint(tmp_path / BEST, "line").card["steps"] == 13


def test_the_card_names_the_best_check_also_when_the_training_was_gone_on_with(tmp_path):
    settings = replace(SETTINGS, validate_every=10)
    train(SteeperRecipe(), tmp_path / "parts", settings, should_stop=stopper(5))
    assert "results" not in load_checkpoint(tmp_path / "parts" / WEIGHTS).card
    rows = []
    train(SteeperRecipe(), tmp_path / "parts", settings, should_stop=stopper(35), on_log=rows.append)
    train(SteeperRecipe(), tmp_path / "parts", settings, on_log=rows.append)
    best = min((row for row in rows if "validation" in row), key=lambda row: row["validation"])
    assert best["step"] < 40
    card = read_card(tmp_path / "parts" / WEIGHTS)
    assert card.results == (("best check", f"{best['validation']:.3g} at step {best['step']}"),)


def test_a_validation_that_is_no_number_is_never_the_best(tmp_path):
    class Undefined(LineRecipe):
        def loss(self, network, x, y):
            loss, metrics = super().loss(network, x, y)
            self.checked = getattr(self, "checked", 0) + (not torch.is_grad_enabled())
            return (loss * float("nan") if 0 < self.checked <= 8 and not torch.is_grad_enabled() else loss), metrics

    train(Undefined(), tmp_path, SETTINGS)
    assert load_checkpoint(tmp_path / BEST).card["steps"] == 60


def test_a_training_ends_where_validations_stop_getting_better_and_stays_ended(tmp_path):
    settings = replace(SETTINGS, validate_every=10, patience=2)
    rows = []
    train(SteeperRecipe(), tmp_path, settings, on_log=rows.append)
    losses = [row["validation"] for row in rows]
    assert len(losses) == losses.index(min(losses)) + 3 < 6
    assert rows[-1]["since_best"] == 2
    train(SteeperRecipe(), tmp_path, settings, on_log=rows.append)
    assert len(rows) == len(losses)
    train(SteeperRecipe(), tmp_path, replace(settings, patience=0), on_log=rows.append)
    assert rows[-1]["step"] == 60


def test_as_many_earlier_weights_are_kept_as_asked_for(tmp_path):
    train(LineRecipe(), tmp_path, replace(SETTINGS, save_every=10, keep=3))
    assert sorted(path.name for path in tmp_path.glob("weights-*")) == [
        f"weights-{step:07d}.safetensors" for step in (40, 50, 60)
    ]
    kept = load_checkpoint(tmp_path / "weights-0000060.safetensors").weights
    assert all(
        torch.equal(kept[name], weights) for name, weights in load_checkpoint(tmp_path / WEIGHTS).weights.items()
    )


def test_the_log_says_how_fast_and_how_long_was_waited_for_data(tmp_path):
    class Slow(LineRecipe):
        def draw(self, generator):
            time.sleep(0.02)
            return super().draw(generator)

    rows = []
    train(Slow(), tmp_path, replace(SETTINGS, steps=20, accumulate=2), on_log=rows.append)
    assert 0.5 < rows[-1]["waiting"] <= 1
    assert 0 < rows[-1]["samples_per_second"] < 16 / 0.02


def test_validation_tells_the_metrics_of_the_recipe(tmp_path):
    rows = []
    train(LineRecipe(), tmp_path, SETTINGS, on_log=rows.append)
    assert rows[-1]["validation_error"] == rows[-1]["validation"] > 0


def test_the_learning_rate_warms_up_and_ends_at_zero():
    factors = [learning_rate_factor(step, SETTINGS) for step in range(61)]
    assert factors[0] == pytest.approx(0.2)
    assert max(factors) == factors[5] == 1
    assert factors[60] == pytest.approx(0)
    assert all(a > b for a, b in itertools.pairwise(factors[5:]))
