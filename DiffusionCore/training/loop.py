"""The training loop of every recipe: top to bottom, resumed by running it again.

The batch of a step depends on (seed, step) alone, so on the CPU a run that was stopped, or killed, and started again
ends with the very weights of a run that went through.
"""

from __future__ import annotations

import copy
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

from DiffusionCore.build import choose_device
from DiffusionCore.checks import DiffusionCoreError, check_range
from DiffusionCore.storage.checkpoint import Checkpoint, save_checkpoint
from DiffusionCore.training.folder import LOG, STATE, WEIGHTS
from DiffusionCore.training.state import TrainingState, cut_log, restore_state, save_state

_APART = 0x9E3779B1  # 2^32 over the golden ratio: its multiples keep the batches of different seeds apart
_VALIDATION = 2**31  # added to the number of a batch; far from every training step


class Recipe(Protocol):
    """What is trained: a network, and how one batch gives a loss.

    Attributes:
        kind: what the weights are for, e.g. "pose".
        config: a frozen dataclass; it is stored with the weights.
        batch: samples in a batch, for the samples per second in the log.
    """

    kind: str
    config: Any
    batch: int

    def network(self) -> nn.Module:
        """Return the untrained network."""
        ...

    def draw(self, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Return a random batch on the CPU; it runs in a thread of its own, one step ahead."""
        ...

    def loss(self, network: Callable[..., Tensor], *batch: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a batch that lies on the device of ``network``, and metrics to log."""
        ...


@dataclass(frozen=True)
class LoopSettings:
    """How long and how fast. The learning rate warms up linearly and falls as a cosine to 0 at ``steps``.

    Attributes:
        steps: of the optimizer (AdamW), one batch each.
        learning_rate: the largest one.
        warm_up: steps until it is reached.
        weight_decay: of AdamW.
        clip: the largest norm of the gradient.
        average: decay per step of the running mean of the weights, in the end.
        average_power, average_gamma: how the decay grows to it (``average_decay``).
        bfloat16: whether the network computes in bfloat16; weights and optimizer stay in float32.
        seed: of the initial weights and of all batches.
        log_every, validate_every, save_every: steps between two rows of the log, validations, and saved states.

    Raises:
        ValueError: a number is out of its range.
    """

    steps: int = 10_000
    learning_rate: float = 1e-3
    warm_up: int = 200
    weight_decay: float = 0.01
    clip: float = 50.0
    average: float = 0.999
    average_power: float = 1.0
    average_gamma: float = 9.0
    bfloat16: bool = True
    seed: int = 0
    log_every: int = 50
    validate_every: int = 1000
    save_every: int = 500

    def __post_init__(self) -> None:
        check_range(self, 1, math.inf, "steps", "log_every", "validate_every", "save_every")
        check_range(self, 0, math.inf, "warm_up", "weight_decay")
        check_range(self, 1e-9, math.inf, "learning_rate", "clip", "average_power", "average_gamma")
        check_range(self, 0, 1, "average")
        check_range(self, 0, 2**32 - 1, "seed")


def train(
    recipe: Recipe,
    output: Path,
    settings: LoopSettings,
    *,
    device: str = "cpu",
    card: dict[str, Any] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    on_log: Callable[[dict[str, float]], None] = lambda row: None,
) -> Path:
    """Train until ``settings.steps`` or ``should_stop()``, and return the path of the averaged weights.

    The folder ``output`` holds the state to go on from, the weights, and a log of JSON lines. If it holds a state
    already, training goes on from there. Batches are drawn on the CPU; the network is on ``device`` (as for
    ``build.choose_device``), and only on the CPU are two runs the same to the last bit.

    Raises:
        CheckpointError: the state in ``output`` belongs to another recipe, configuration or seed.
        DeviceError: the device is not there.
        DiffusionCoreError: the loss is not finite.
    """
    place = choose_device(device)
    output.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)  # networks draw their initial weights from the global generator
        network = recipe.network().to(place)
    average = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(
        network.parameters(), settings.learning_rate, betas=(0.9, 0.99), weight_decay=settings.weight_decay
    )
    state = TrainingState(network, average, optimizer)
    run = {"kind": recipe.kind, "config": recipe.config, "seed": settings.seed}
    restore_state(output / STATE, state, **run)
    cut_log(output / LOG, state.step)
    began, window, since = time.monotonic() - state.seconds, [], time.monotonic()
    for step, batch in _batches(recipe, settings, state.step):
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
        done = step + 1
        stopping = should_stop() or done == settings.steps
        validating = done % settings.validate_every == 0
        if done % settings.log_every == 0 or validating or stopping:
            row = {"step": done, "of": settings.steps, "seconds": time.monotonic() - began, **_means(window)}
            row["samples_per_second"] = _rate(window, recipe, since)
            if validating:
                row["validation"] = validate(recipe, average, settings)
            window, since = [], time.monotonic()
            with (output / LOG).open("a", encoding="utf-8") as log:
                log.write(json.dumps({key: round(value, 5) for key, value in row.items()}) + "\n")
            on_log(row)
        if done % settings.save_every == 0 or stopping:
            state.step, state.seconds = done, time.monotonic() - began
            # the state comes last: a run that is killed in between makes these weights again
            _save_weights(output / WEIGHTS, recipe, state, settings, card or {})
            save_state(output / STATE, state, **run)
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
    """Return the decay of the running mean at ``step``, from 1 on: 1 - (1 + step / gamma)^-power, at most ``average``.

    It is short at first, to forget the beginning. Source: the power law of the exponential mean in the published
    spatial diffusion system (ema_pytorch).
    """
    return min(settings.average, 1 - (1 + step / settings.average_gamma) ** -settings.average_power)


@torch.no_grad()
def validate(recipe: Recipe, network: nn.Module, settings: LoopSettings, batches: int = 8) -> float:
    """Return the mean loss of ``network`` over batches that are the same at every call, and of no training step."""
    drawn = (recipe.draw(batch_generator(settings.seed, _VALIDATION + n)) for n in range(batches))
    return sum(_loss(recipe, network, batch, settings)[0].item() for batch in drawn) / batches


def batch_generator(seed: int, number: int) -> torch.Generator:
    """Return the generator of batch ``number`` of the runs with ``seed``.

    torch keeps the low 32 bits of a generator's seed, so seed and number must share them.
    """
    return torch.Generator().manual_seed((seed * _APART + number) % 2**32)


def _batches(recipe: Recipe, settings: LoopSettings, first: int) -> Iterator[tuple[int, tuple[Tensor, ...]]]:
    """Yield (step, batch), the next batch being drawn while the network works on this one."""

    def draw(step: int) -> tuple[Tensor, ...]:
        return recipe.draw(batch_generator(settings.seed, step))

    if first >= settings.steps:
        return
    with ThreadPoolExecutor(1) as executor:
        ahead = executor.submit(draw, first)
        for step in range(first, settings.steps):
            batch = ahead.result()
            if step + 1 < settings.steps:
                ahead = executor.submit(draw, step + 1)
            yield step, batch


def _loss(
    recipe: Recipe, network: nn.Module, batch: tuple[Tensor, ...], settings: LoopSettings
) -> tuple[Tensor, dict[str, float]]:
    device = next(network.parameters()).device

    def computed(*inputs: Tensor) -> Tensor:
        # the network alone: in bfloat16 a point 60 mm away is known to a quarter of a millimeter
        with torch.autocast(device.type, torch.bfloat16, enabled=settings.bfloat16):
            return network(*inputs)

    return recipe.loss(computed, *(tensor.to(device) for tensor in batch))


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    for mean, current in zip(average.parameters(), network.parameters(), strict=True):
        mean.lerp_(current, 1 - decay)


def _means(window: list[dict[str, float]]) -> dict[str, float]:
    return {key: sum(row[key] for row in window) / len(window) for key in window[0]}


def _rate(window: list[dict[str, float]], recipe: Recipe, since: float) -> float:
    return len(window) * recipe.batch / (time.monotonic() - since)


def _save_weights(
    path: Path, recipe: Recipe, state: TrainingState, settings: LoopSettings, card: dict[str, Any]
) -> None:
    made = {"steps": state.step, "seed": settings.seed, "seconds": round(state.seconds), "settings": asdict(settings)}
    checkpoint = Checkpoint(recipe.kind, asdict(recipe.config), state.average.state_dict(), {**made, **card})
    save_checkpoint(path, checkpoint, half=True)
