"""The batches of a training: each depends on (seed, number) alone, whoever draws it and whenever."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from DiffusionCore.training.recipe import HoldsOut, Recipe
from DiffusionCore.training.settings import LoopSettings

Batch = tuple[Tensor, ...]
AHEAD = 3  # batches that are drawn before they are needed: as their cost varies, one would not do
_APART = 0x9E3779B1  # 2^32 over the golden ratio: its multiples keep the batches of different seeds apart
_VALIDATION = 2**31  # added to the number of a batch; far from every training step


class Drawn(NamedTuple):
    """The ``batches`` of a step that one process works on, and how long it ``waited`` for them in seconds."""

    batches: list[Batch]
    waited: float


def batch_generator(seed: int, number: int) -> torch.Generator:
    """Return the generator of batch ``number`` of the runs with ``seed``.

    torch keeps the low 32 bits of a generator's seed, so seed and number must share them.
    """
    return torch.Generator().manual_seed((seed * _APART + number) % 2**32)


def validation_batches(recipe: Recipe, settings: LoopSettings, count: int) -> Iterator[Batch]:
    """Yield ``count`` batches that are the same at every call, and of no training step."""
    draw = recipe.draw_held_out if isinstance(recipe, HoldsOut) else recipe.draw
    return (draw(batch_generator(settings.seed, _VALIDATION + number)) for number in range(count))


def drawn_batches(
    recipe: Recipe, settings: LoopSettings, first: int, *, rank: int = 0, ranks: int = 1
) -> Iterator[Drawn]:
    """Yield what the process ``rank`` of ``ranks`` works on, from the step ``first`` to the last one.

    The batches of step s are the numbers s A .. s A + A - 1 (A = ``accumulate``), dealt out to the processes by turns.
    The next ones are drawn while the network works on these.
    """
    own = range(rank, settings.accumulate, ranks)
    numbers = [step * settings.accumulate + n for step in range(first, settings.steps) for n in own]
    if not numbers:
        return
    batches = _by_processes(recipe, settings, numbers) if settings.workers else _by_a_thread(recipe, settings, numbers)
    for _ in range(first, settings.steps):
        since = time.monotonic()
        chosen = [next(batches) for _ in own]
        yield Drawn(chosen, time.monotonic() - since)


def _by_a_thread(recipe: Recipe, settings: LoopSettings, numbers: Sequence[int]) -> Iterator[Batch]:
    def draw(number: int) -> Batch:
        return recipe.draw(batch_generator(settings.seed, number))

    executor, ahead = ThreadPoolExecutor(1), deque[Future[Batch]]()
    try:
        for number in numbers:
            ahead.append(executor.submit(draw, number))
            if len(ahead) > AHEAD:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        executor.shutdown(cancel_futures=True)


def _by_processes(recipe: Recipe, settings: LoopSettings, numbers: Sequence[int]) -> Iterator[Batch]:
    batches = _Numbered(recipe, settings.seed)
    yield batches[numbers[0]]  # drawn here: what the recipe keeps is there before the workers get their copies
    if len(numbers) > 1:
        yield from DataLoader(
            batches,
            batch_size=None,
            sampler=numbers[1:],
            num_workers=settings.workers,
            generator=torch.Generator(),  # or it would take its seed from the global one
        )


class _Numbered(Dataset):
    def __init__(self, recipe: Recipe, seed: int) -> None:
        self._recipe, self._seed = recipe, seed

    def __getitem__(self, number: int) -> Batch:
        return self._recipe.draw(batch_generator(self._seed, number))
