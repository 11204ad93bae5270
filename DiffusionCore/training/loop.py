"""The training loop of every recipe: top to bottom, resumed by running it again.

The batch of a step depends on (seed, step) alone, so a run that was stopped, or killed, and started again ends with
the very weights of a run that went through.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from DiffusionCore.checks import CheckpointError, DiffusionCoreError
from DiffusionCore.storage.checkpoint import Checkpoint, load_checkpoint, save_checkpoint

STATE, WEIGHTS, LOG = "state.safetensors", "weights.safetensors", "log.jsonl"
_VALIDATION_SEED = 2**40  # far from every training step


class Recipe(Protocol):
    """What is trained: a network, and how one batch gives a loss."""

    kind: str
    config: Any
    batch: int

    def network(self) -> nn.Module:
        """Return the untrained network."""
        ...

    def draw(self, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Return a random batch; it runs in a thread of its own, one step ahead."""
        ...

    def loss(self, network: nn.Module, *batch: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a batch, and metrics to log."""
        ...


@dataclass(frozen=True)
class LoopSettings:
    """How long and how fast. The learning rate warms up linearly and falls as a cosine to 0 at ``steps``."""

    steps: int = 10_000
    learning_rate: float = 1e-3
    warm_up: int = 200
    weight_decay: float = 0.01
    clip: float = 50.0  # of the gradient's norm
    average: float = 0.999  # decay of the running mean of the weights, in the end
    average_power: float = 1.0  # how the decay grows to it: 1 - (1 + step / average_gamma) ** -average_power
    average_gamma: float = 9.0
    bfloat16: bool = True
    seed: int = 0
    log_every: int = 50
    validate_every: int = 1000
    save_every: int = 500


def train(
    recipe: Recipe,
    output: Path,
    settings: LoopSettings,
    *,
    card: dict[str, Any] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    on_log: Callable[[dict[str, float]], None] = lambda row: None,
) -> Path:
    """Train until ``settings.steps`` or ``should_stop()``, and return the path of the averaged weights.

    The folder ``output`` holds the state to go on from, the weights, and a log of JSON lines. If it holds a state
    already, training goes on from there.

    Raises:
        CheckpointError: the state in ``output`` belongs to another recipe or configuration.
        DiffusionCoreError: the loss is not finite.
    """
    output.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(settings.seed)  # the initial weights
    network, average = recipe.network(), recipe.network()
    average.load_state_dict(network.state_dict())
    optimizer = torch.optim.AdamW(
        network.parameters(), settings.learning_rate, betas=(0.9, 0.99), weight_decay=settings.weight_decay
    )
    first, seconds = _resume(output / STATE, recipe, network, average, optimizer)
    began, window, since = time.monotonic() - seconds, [], time.monotonic()
    for step, batch in _batches(recipe, settings, first):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * learning_rate_factor(step, settings)
        loss, metrics = _loss(recipe, network, batch, settings)
        if not torch.isfinite(loss):
            raise DiffusionCoreError(
                f"The loss became {loss.item()} at step {step}. Resume with a lower learning_rate."
            )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
        optimizer.step()
        _follow(average, network, average_decay(step + 1, settings))
        window.append({"loss": loss.item(), **metrics})
        done, stopping = step + 1, should_stop()
        if done % settings.log_every == 0:
            row = {"step": done, **_means(window), "samples_per_second": _rate(window, recipe, since)}
            if done % settings.validate_every == 0:
                row["validation"] = validate(recipe, average, settings)
            window, since = [], time.monotonic()
            with (output / LOG).open("a") as log:
                log.write(json.dumps({key: round(value, 5) for key, value in row.items()}) + "\n")
            on_log(row)
        if done % settings.save_every == 0 or stopping or done == settings.steps:
            _save(output / STATE, recipe, network, average, optimizer, done, time.monotonic() - began)
            summary = {"steps": done, "seed": settings.seed, "seconds": round(time.monotonic() - began), **(card or {})}
            weights = {name: tensor.contiguous() for name, tensor in average.state_dict().items()}
            save_checkpoint(
                output / WEIGHTS, Checkpoint(recipe.kind, asdict(recipe.config), weights, summary), half=True
            )
        if stopping:
            break
    return output / WEIGHTS


def learning_rate_factor(step: int, settings: LoopSettings) -> float:
    """Return the share of the full learning rate at ``step``."""
    if step < settings.warm_up:
        return (step + 1) / settings.warm_up
    share = (step - settings.warm_up) / max(1, settings.steps - settings.warm_up)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, share)))


def average_decay(step: int, settings: LoopSettings) -> float:
    """Return the decay of the running mean at ``step``, from 1 on; it is short at first, to forget the beginning.

    Source: the power law of the exponential mean in the published spatial diffusion system (ema_pytorch).
    """
    return min(settings.average, 1 - (1 + step / settings.average_gamma) ** -settings.average_power)


@torch.no_grad()
def validate(recipe: Recipe, network: nn.Module, settings: LoopSettings, batches: int = 8) -> float:
    """Return the mean loss of ``network`` over batches that are the same at every call."""
    drawn = (recipe.draw(_generator(settings, _VALIDATION_SEED + n)) for n in range(batches))
    return sum(_loss(recipe, network, batch, settings)[0].item() for batch in drawn) / batches


def _generator(settings: LoopSettings, step: int) -> torch.Generator:
    return torch.Generator().manual_seed((settings.seed << 44) + step)


def _batches(recipe: Recipe, settings: LoopSettings, first: int) -> Iterator[tuple[int, tuple[Tensor, ...]]]:
    """Yield (step, batch), the next batch being drawn while the network works on this one."""
    with ThreadPoolExecutor(1) as executor:
        ahead = executor.submit(recipe.draw, _generator(settings, first))
        for step in range(first, settings.steps):
            batch = ahead.result()
            ahead = executor.submit(recipe.draw, _generator(settings, step + 1))
            yield step, batch


def _loss(
    recipe: Recipe, network: nn.Module, batch: tuple[Tensor, ...], settings: LoopSettings
) -> tuple[Tensor, dict[str, float]]:
    with torch.autocast("cpu", torch.bfloat16, enabled=settings.bfloat16):
        return recipe.loss(network, *batch)


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    for mean, current in zip(average.parameters(), network.parameters(), strict=True):
        mean.lerp_(current, 1 - decay)


def _means(window: list[dict[str, float]]) -> dict[str, float]:
    return {key: sum(row[key] for row in window) / len(window) for key in window[0]}


def _rate(window: list[dict[str, float]], recipe: Recipe, since: float) -> float:
    return len(window) * recipe.batch / (time.monotonic() - since)


def _save(
    path: Path,
    recipe: Recipe,
    network: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    step: int,
    seconds: float,
) -> None:
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {f"average.{name}": tensor for name, tensor in average.state_dict().items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in moments.items()}
    tensors = {name: tensor.clone().contiguous() for name, tensor in tensors.items()}
    progress = {"step": step, "seconds": seconds}
    save_checkpoint(path, Checkpoint(f"{recipe.kind}-training", asdict(recipe.config), tensors, progress))


def _resume(
    path: Path, recipe: Recipe, network: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[int, float]:
    """Put the state at ``path``, if there is one, in place, and return its step and the seconds spent so far."""
    if not path.exists():
        return 0, 0.0
    state = load_checkpoint(path, f"{recipe.kind}-training")
    if state.config != json.loads(json.dumps(asdict(recipe.config))):
        raise CheckpointError(
            f"The run in {path.parent} was made with another configuration ({state.config}). "
            "Choose an empty output folder, or the same settings."
        )
    parts: dict[str, dict[str, Tensor]] = {"network": {}, "average": {}, "optimizer": {}}
    for name, tensor in state.weights.items():
        part, rest = name.split(".", 1)
        parts[part][rest] = tensor
    network.load_state_dict(parts["network"])
    average.load_state_dict(parts["average"])
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in parts["optimizer"].items():
        index, moment = name.split(".")
        moments.setdefault(int(index), {})[moment] = tensor
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    return int(state.card["step"]), float(state.card["seconds"])
