"""The affine phases before a deformation, and the account that all phases share."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from DiffusionCore.affine.account import StepAccount
from DiffusionCore.affine.pair import WorkingPair
from DiffusionCore.affine.pipeline import AffinePipeline, AffineSettings
from DiffusionCore.affine.steps import Step
from DiffusionCore.deformable.start import START
from DiffusionCore.space import Volume
from DiffusionCore.transforms.affine import Affine

_SPACINGS = (8.0, 4.0)  # of the working images that the steps are measured on


class Alignment:
    """Aligns pairs affinely as ``settings`` say; with None a pair starts as it is given.

    Raises:
        CheckpointError: a model is not to be found, damaged or of another kind.
    """

    def __init__(self, settings: AffineSettings | None, *, device: str = "auto") -> None:
        self._affine = AffinePipeline(settings, device=device) if settings else None

    def steps(
        self, fixed: Volume, moving: Volume, initial: Affine | None, generator: torch.Generator, after: Step | None
    ) -> Iterator[Step]:
        """Yield the steps from ``initial``, or those that come after the affine step ``after``."""
        if self._affine is not None:
            yield from self._affine.steps(fixed, moving, initial=initial, generator=generator, after=after)
            return
        account = shared_account(fixed, moving, generator, after)
        start = initial or Affine.identity() if after is None else after.transform
        yield account.step(START, start)


def shared_account(fixed: Volume, moving: Volume, generator: torch.Generator, after: Step | None) -> StepAccount:
    """Return an account on the points of the affine one, so that the numbers of all phases can be compared."""
    again = torch.Generator().manual_seed(generator.initial_seed())
    return StepAccount(WorkingPair(fixed, moving, _SPACINGS), generator=again, after=after)
