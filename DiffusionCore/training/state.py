"""The state of a training in files: all that it takes to go on as if nothing had happened."""

from __future__ import annotations

import copy
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from DiffusionCore.checks import CheckpointError, ConfigError
from DiffusionCore.config import from_dict, to_dict
from DiffusionCore.models import find_model
from DiffusionCore.networks.recomputing import recompute_parts
from DiffusionCore.storage.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from DiffusionCore.training.recipe import Recipe
from DiffusionCore.training.settings import LoopSettings

_PROGRESS = ("step", "seconds", "skipped", "skipped_in_a_row", "best", "best_at", "since_best")


@dataclass
class TrainingState:
    """What a training changes.

    Attributes:
        network: the network that is trained.
        average: the same network with the running mean of the weights.
        optimizer: of the network, with its moments.
        scaler: of the loss; it does nothing unless the network computes in float16.
        step: steps that were done.
        seconds: how long they took, over all runs.
        skipped, skipped_in_a_row: steps that were left out because they were not finite.
        best: the least loss of a validation; None before there is one.
        best_at: the step of that validation; 0 where an older version did not note it.
        since_best: validations since then.
    """

    network: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    step: int = 0
    seconds: float = 0.0
    skipped: int = 0
    skipped_in_a_row: int = 0
    best: float | None = None
    best_at: int = 0
    since_best: int = 0

    @classmethod
    def beginning(cls, recipe: Recipe, settings: LoopSettings, device: torch.device) -> TrainingState:
        """Return the state before the first step; the initial weights depend on the seed alone."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)  # networks draw their initial weights from the global generator
            network = recipe.network().to(device)
        average = copy.deepcopy(network)
        if settings.recompute:
            recompute_parts(network)
        optimizer = torch.optim.AdamW(
            network.parameters(),
            settings.learning_rate,
            betas=(0.9, 0.99),
            weight_decay=settings.weight_decay,
            fused=True,
        )
        scaler = torch.amp.GradScaler(device.type, enabled=settings.precision == "float16")
        return cls(network, average, optimizer, scaler)

    def begin_with(self, model: str, kind: str) -> None:
        """Take the weights of ``model``, a name or a path of the ``kind``.

        Raises:
            CheckpointError: there is no such model, it is of another kind, or it is another network.
        """
        weights = {name: tensor.float() for name, tensor in load_checkpoint(find_model(model), kind).weights.items()}
        if different := _different(weights, self.network.state_dict()):
            raise CheckpointError(
                f"The weights '{model}' are those of another network than the settings and the images describe "
                f"({different}). Train with the settings that its card names, or begin without it."
            )
        for network in (self.network, self.average):
            network.load_state_dict(weights)

    def checked(self, loss: float) -> bool:
        """Note the ``loss`` of a validation, and return whether it is the best one so far."""
        better = math.isfinite(loss) and (self.best is None or loss < self.best)
        if better:
            self.best, self.best_at = loss, self.step
        self.since_best = 0 if better else self.since_best + 1
        return better

    @property
    def best_check(self) -> str:
        """The best validation, for a card; empty before there is one."""
        return f"{self.best:.3g} at step {self.best_at}" if self.best is not None and self.best_at else ""


def _different(given: dict[str, Tensor], wanted: dict[str, Tensor]) -> str:
    """Return what tells the tensors of two networks apart, the first of it; empty for nothing."""
    for name in {**given, **wanted}:
        there, here = (tuple(each[name].shape) if name in each else "none" for each in (given, wanted))
        if there != here:
            return f"{name}: {there} there, {here} here"
    return ""


def save_state(path: Path, state: TrainingState, *, kind: str, config: Any, seed: int) -> None:
    """Write ``state`` of the training of ``config``, a dataclass; the file appears whole or not at all."""
    tensors = {f"network.{name}": tensor for name, tensor in state.network.state_dict().items()}
    tensors |= {f"average.{name}": tensor for name, tensor in state.average.state_dict().items()}
    for index, moments in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in moments.items()}
    progress = {"seed": seed, "scaler": state.scaler.state_dict(), **{name: getattr(state, name) for name in _PROGRESS}}
    save_checkpoint(path, Checkpoint(f"{kind}-training", asdict(config), tensors, progress))


def restore_state(path: Path, state: TrainingState, *, kind: str, config: Any, seed: int) -> bool:
    """Put what was saved at ``path`` into ``state``; return False if there is no such file.

    Settings that the file does not know, because it is older, are taken to be the defaults.

    Raises:
        CheckpointError: the file belongs to another recipe, configuration or seed, or is damaged.
    """
    if not path.exists():
        return False
    saved = load_checkpoint(path)
    if saved.kind != f"{kind}-training":
        raise CheckpointError(
            f"'{path.parent}' holds a training of the kind '{saved.kind.removesuffix('-training')}', not '{kind}'. "
            f"Choose an empty output folder, or the recipe that was trained there{_renamed(saved.kind, kind)}."
        )
    before = {**_completed(saved.config, type(config)), "seed": saved.card.get("seed", seed)}
    _require_same_run(path, before, {**to_dict(config), "seed": seed})
    try:
        _put(saved.weights, state)
    except (KeyError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"The state '{path}' does not hold the weights of its own network. Take it away to begin anew."
        ) from error
    if saved.card.get("scaler") and state.scaler.is_enabled():
        state.scaler.load_state_dict(saved.card["scaler"])
    for name in _PROGRESS:  # states of older versions know less
        setattr(state, name, saved.card.get(name, getattr(state, name)))
    return True


def _put(saved: dict[str, Tensor], state: TrainingState) -> None:
    """Put the tensors of a file into ``state``."""
    parts: dict[str, dict[str, Tensor]] = {"network": {}, "average": {}, "optimizer": {}}
    for name, tensor in saved.items():
        part, rest = name.split(".", 1)
        parts[part][rest] = tensor
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in parts["optimizer"].items():
        index, moment = name.split(".")
        moments.setdefault(int(index), {})[moment] = tensor
    state.network.load_state_dict(parts["network"])
    state.average.load_state_dict(parts["average"])
    # a fused update takes the elements as they lie in memory: those of a moment must lie as those of its weight
    for index, weight in enumerate(state.network.parameters()):
        for name, moment in moments.get(index, {}).items():
            if moment.shape == weight.shape:
                moments[index][name] = torch.empty_like(weight).copy_(moment)
    state.optimizer.load_state_dict({"state": moments, "param_groups": state.optimizer.state_dict()["param_groups"]})


def _renamed(saved: str, wanted: str) -> str:
    if (saved, wanted) == ("published-diffusereg-training", "diffusereg"):
        return "; what was begun as 'small-diffusereg' by an older version is 'small-published-diffusereg' now"
    return ""


def _completed(saved: dict[str, Any], cls: type) -> dict[str, Any]:
    """Return ``saved`` with what it does not know as the defaults of the dataclass ``cls``, if it is one of that."""
    try:
        return to_dict(from_dict(cls, saved))
    except ConfigError:
        return saved


def _require_same_run(path: Path, saved: dict[str, Any], wanted: dict[str, Any]) -> None:
    keys = [key for key in {**saved, **wanted} if saved.get(key) != wanted.get(key)]
    if keys:
        different = "; ".join(f"{key}: {saved.get(key)} there, {wanted.get(key)} here" for key in keys)
        raise CheckpointError(
            f"The run in '{path.parent}' was made with another configuration ({different}). "
            "Choose an empty output folder, or the same settings."
        )
