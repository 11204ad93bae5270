"""How long, how fast and how carefully a training runs; the same settings for every recipe."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from DiffusionCore.checks import check_range


@dataclass(frozen=True)
class LoopSettings:
    """How a training runs. The learning rate warms up linearly and falls as a cosine to 0 at ``steps``.

    Attributes:
        steps: of the optimizer (AdamW).
        accumulate: batches whose mean gradient makes a step. Several processes (``torchrun``) share them, so the result
            does not depend on the number of processes.
        learning_rate: the largest one.
        warm_up: steps until it is reached.
        weight_decay: of AdamW.
        clip: the largest norm of the gradient.
        average: decay per step of the running mean of the weights, in the end.
        average_power, average_gamma: how the decay grows to it (``average_decay``).
        precision: in which the network computes; weights and optimizer stay in float32. With float16 the loss is scaled
            so that small gradients do not vanish.
        recompute: whether the parts of the network compute a second time instead of keeping what they made
            (``networks/recomputing.py``): slower by about a third, with a fraction of the memory.
        skips: steps in a row that are left out because a loss or gradient is not finite; one more ends the training.
        patience: validations in a row without a new best one that end the training; 0 for none.
        workers: processes that draw the batches; 0 for a thread of this process.
        keep: weights of earlier checkpoints that are kept under the numbers of their steps.
        begin: name or path of a model of the recipe's kind whose weights it begins with; None for random ones.
        seed: of the initial weights and of all batches.
        log_every, validate_every, save_every: steps between two rows of the log, validations, and saved states; the
            last step has all three.

    Raises:
        ValueError: a number is out of its range.
    """

    steps: int = 10_000
    accumulate: int = 1
    learning_rate: float = 1e-3
    warm_up: int = 200
    weight_decay: float = 0.01
    clip: float = 50.0
    average: float = 0.999
    average_power: float = 1.0
    average_gamma: float = 9.0
    precision: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    recompute: bool = False
    skips: int = 10
    patience: int = 0
    workers: int = 0
    keep: int = 0
    begin: str | None = None
    seed: int = 0
    log_every: int = 50
    validate_every: int = 1000
    save_every: int = 500

    def __post_init__(self) -> None:
        check_range(self, 1, math.inf, "steps", "accumulate", "log_every", "validate_every", "save_every")
        check_range(self, 0, math.inf, "warm_up", "weight_decay", "skips", "patience", "workers", "keep")
        check_range(self, 1e-9, math.inf, "learning_rate", "clip", "average_power", "average_gamma")
        check_range(self, 0, 1, "average")
        check_range(self, 0, 2**32 - 1, "seed")
        if self.precision not in ("float32", "bfloat16", "float16"):
            raise ValueError(f"'precision' must be float32, bfloat16 or float16, got '{self.precision}'")


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
