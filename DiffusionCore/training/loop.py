"""The training loop of every recipe: top to bottom, resumed by running it again.

The batches of a step depend on (seed, step) alone, so on the CPU a run that was stopped, or killed, and started again
ends with the very weights of a run that went through.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import nn

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.storage.checkpoint import Checkpoint, save_checkpoint
from DiffusionCore.storage.files import remove_unfinished, replacing
from DiffusionCore.training.batches import Batch, drawn_batches, validation_batches
from DiffusionCore.training.folder import BEST, BEST_CHECK, CONFIG, STATE, WEIGHTS
from DiffusionCore.training.forecast import forecast, free_memory, size_text
from DiffusionCore.training.half_precision import refuse_random_gradients
from DiffusionCore.training.history import with_history
from DiffusionCore.training.log import Row, RunLog, Window
from DiffusionCore.training.pictures import draw_pictures
from DiffusionCore.training.ranks import Ranks
from DiffusionCore.training.recipe import Recipe
from DiffusionCore.training.settings import LoopSettings
from DiffusionCore.training.state import TrainingState, restore_state, save_state
from DiffusionCore.training.update import batch_loss, compute_gradients, update

_CHECKED = 8  # batches of a validation

_log = logging.getLogger(__name__)


def train(
    recipe: Recipe,
    output: Path,
    settings: LoopSettings,
    *,
    device: str = "cpu",
    card: dict[str, Any] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    on_log: Callable[[Row], None] = lambda row: None,
    say: Callable[[str], None] = _log.info,
    ranks: Ranks | None = None,
) -> Path:
    """Train until ``settings.steps``, ``should_stop()``, or no better validation; return the path of the weights.

    The folder ``output`` holds the state to go on from, the averaged weights, those of the best validation, and a log
    of JSON lines. If it holds a state already, training goes on from there. Batches are drawn on the CPU; the network
    is on ``device`` (as for ``build.choose_device``), and only on the CPU are two runs the same to the last bit.
    ``say`` gets a sentence about the memory before the first step. ``ranks`` is the place of this process among several
    (``ranks.joined``); by default it is alone.

    Raises:
        CheckpointError: the state in ``output`` belongs to another recipe, configuration or seed.
        ConfigError: the processes cannot share the batches of a step evenly.
        DeviceError: the device is not there.
        DiffusionCoreError: too many steps in a row were not finite, or another process has ended.
    """
    ranks = ranks or Ranks()
    ranks.require_shares(settings.accumulate)
    place = ranks.device(device)
    output.mkdir(parents=True, exist_ok=True)
    run = _Run(recipe, output, settings, card or {})
    state = TrainingState.beginning(recipe, settings, place)
    if not restore_state(output / STATE, state, **run.identity) and settings.begin is not None:
        state.begin_with(settings.begin, recipe.kind)
    if state.step >= settings.steps or run.exhausted(state):
        return output / WEIGHTS
    run = replace(run, card=with_history(run.card, output / WEIGHTS, state.step))
    refuse_random_gradients(state.network, place, settings)
    if ranks.first:
        say(run.needs(state, place))
    log = run.open(state.step) if ranks.first else None
    began, window = time.monotonic() - state.seconds, Window()
    for batches, waited in drawn_batches(recipe, settings, state.step, rank=ranks.rank, ranks=ranks.count):
        shares = compute_gradients(recipe, state, batches, settings)
        values, stopping = ranks.combined(state.network, shares, should_stop())
        made = update(state, values["loss"], settings)
        if state.skipped_in_a_row > settings.skips:
            run.give_up(batches, state, ranks)
        window.add(values, waited, made=made)
        state.seconds = time.monotonic() - began
        stopping = stopping or state.step == settings.steps
        validating = state.step % settings.validate_every == 0 or state.step == settings.steps
        row: Row = {}
        if validating or stopping or state.step % settings.log_every == 0:
            row = {"step": state.step, "of": settings.steps, "seconds": state.seconds, "skipped": state.skipped}
            row |= window.row(recipe.batch * settings.accumulate)
        if validating:
            row |= run.check(state) if ranks.first else {}
            stopping = ranks.any(stopping or run.exhausted(state), place)
        if row:
            window = Window()
        if row and log is not None:
            log.write(row)
            on_log(row)
        if ranks.first and (stopping or state.step % settings.save_every == 0):
            run.save(state)
        if stopping:
            break
    if log is not None:
        log.close()
    return output / WEIGHTS


@torch.no_grad()
def validate(recipe: Recipe, network: nn.Module, settings: LoopSettings) -> Row:
    """Return means of "validation", the loss, and "validation_<metric>" over batches that are always the same."""
    rows = []
    for batch in validation_batches(recipe, settings, _CHECKED):
        loss, metrics = batch_loss(recipe, network, batch, settings)
        rows.append({"validation": loss.item(), **{f"validation_{name}": value for name, value in metrics.items()}})
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}


@dataclass(frozen=True)
class _Run:
    """A run and its files."""

    recipe: Recipe
    folder: Path
    settings: LoopSettings
    card: dict[str, Any]

    @property
    def identity(self) -> dict[str, Any]:
        """What a state must agree in to be gone on with."""
        return {"kind": self.recipe.kind, "config": self.recipe.config, "seed": self.settings.seed}

    def open(self, step: int) -> RunLog:
        """Clear what a killed process left, write down what is trained how, and return the log to go on with."""
        remove_unfinished(self.folder)
        described = {"kind": self.recipe.kind, "config": asdict(self.recipe.config), "settings": asdict(self.settings)}
        with replacing(self.folder / CONFIG) as unfinished:
            unfinished.write_text(json.dumps({**described, **self.card}, indent=2) + "\n", encoding="utf-8")
        return RunLog(self.folder, step)

    def needs(self, state: TrainingState, device: torch.device) -> str:
        """Return sentences about the memory that the training needs."""
        batch = next(validation_batches(self.recipe, self.settings, 1))
        needed, free = forecast(self.recipe, state.network, batch, self.settings), free_memory(device)
        if needed is None:
            return "How much memory is needed is not known before the first step."
        if free is None or needed.total <= free:
            return f"Memory: {needed}."
        return (
            f"Memory: {needed}, but only {size_text(free)} are free. Take a smaller batch or network, or close "
            "other programs."
        )

    def exhausted(self, state: TrainingState) -> bool:
        """Return whether the validations have not become better for too long."""
        return 0 < self.settings.patience <= state.since_best

    def check(self, state: TrainingState) -> Row:
        """Validate the averaged weights, keep them if they are the best ones so far, and return what was found."""
        found = validate(self.recipe, state.average, self.settings)
        draw_pictures(self.folder, state.step, self.recipe, state.average, self.settings)
        if state.checked(found["validation"]):
            self._save_weights(self.folder / BEST, state)
        return {**found, "since_best": state.since_best}

    def save(self, state: TrainingState) -> None:
        """Write weights and state; the state comes last: a run that is killed in between makes these weights again."""
        self._save_weights(self.folder / WEIGHTS, state)
        if self.settings.keep:
            self._save_weights(self.folder / f"weights-{state.step:07d}.safetensors", state)
            for old in sorted(self.folder.glob("weights-*.safetensors"))[: -self.settings.keep]:
                old.unlink()
        save_state(self.folder / STATE, state, **self.identity)

    def give_up(self, batches: Sequence[Batch], state: TrainingState, ranks: Ranks) -> NoReturn:
        """Write ``batches`` for a look at them, and raise DiffusionCoreError."""
        path = self.folder / f"bad-batch-{ranks.rank}.safetensors"
        tensors = {f"{n}.{m}": tensor for n, batch in enumerate(batches) for m, tensor in enumerate(batch)}
        card = {"step": state.step - 1, "seed": self.settings.seed}
        save_checkpoint(path, Checkpoint(f"{self.recipe.kind}-batch", {}, tensors, card))
        raise DiffusionCoreError(
            f"Loss or gradient was not finite in {state.skipped_in_a_row} steps in a row, up to step {state.step}; "
            f"the last batch is kept in '{path.name}'. Resume with a lower learning_rate or precision=float32."
        )

    def _save_weights(self, path: Path, state: TrainingState) -> None:
        made = {"steps": state.step, "seed": self.settings.seed, "seconds": round(state.seconds)}
        known = {"results": {BEST_CHECK: state.best_check}} if state.best_check else {}
        card = {**made, **known, "settings": asdict(self.settings), **self.card}
        weights = state.average.state_dict()
        save_checkpoint(path, Checkpoint(self.recipe.kind, _shared(self.recipe.config), weights, card), half=True)


def _shared(config: Any) -> dict[str, Any]:
    """Return ``config`` as it travels with the weights: without the place where the images lie."""
    return asdict(config) | {field.name: field.default for field in fields(config) if field.name == "data"}
