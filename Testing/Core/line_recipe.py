"""A recipe that trains in a second, for the tests of the loop."""

from dataclasses import dataclass

import torch
from torch import nn

from DiffusionCore.storage.checkpoint import load_checkpoint
from DiffusionCore.training.folder import STATE, WEIGHTS
from DiffusionCore.training.settings import LoopSettings


@dataclass(frozen=True)
class LineConfig:
    slope: float = 2.0


class LineRecipe:
    """Learn y = slope x + 1 with a small network."""

    kind, batch = "line", 16

    def __init__(self, config=None):
        self.config = config or LineConfig()
        self.drawn = []

    def network(self):
        return nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))

    def draw(self, generator):
        x = torch.randn(self.batch, 1, generator=generator)
        self.drawn.append(x)
        return x, self.config.slope * x + 1

    def loss(self, network, x, y):
        error = (network(x) - y).square().mean()
        return error, {"error": error.item()}


SETTINGS = LoopSettings(
    steps=60, learning_rate=0.03, warm_up=5, precision="float32", log_every=10, validate_every=20, save_every=25, seed=3
)


def stopper(steps):
    """Return a ``should_stop`` that ends a training after ``steps``."""
    calls = iter(range(10**6))
    return lambda: next(calls) >= steps - 1


def assert_same_weights(first, second):
    for name in (STATE, WEIGHTS):
        whole, parts = (load_checkpoint(run / name).weights for run in (first, second))
        assert whole.keys() == parts.keys()
        assert all(torch.equal(whole[key], parts[key]) for key in whole)
