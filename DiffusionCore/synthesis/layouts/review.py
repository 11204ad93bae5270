"""Variants that somebody will look through before any of them is kept."""

from __future__ import annotations

from DiffusionCore.space import Grid
from DiffusionCore.space.plain import Field
from DiffusionCore.synthesis.layouts.base import Source, VariantLayout
from DiffusionCore.synthesis.stored_case import StoredCase
from DiffusionCore.synthesis.synthesizer import Variant
from DiffusionCore.transforms import Transform

_SPACING = 4.0  # mm, of the fields, which are drawn as a grid of lines much farther apart


class Review(VariantLayout):
    """NNNNNN.npz for each variant, with its fields on a coarse grid (``StoredCase``)."""

    def write(self, sample: Variant, source: Source) -> list[str]:
        grid = sample.subject.images[0].grid
        coarse = grid.with_spacing(max(_SPACING, *grid.spacing))
        stages = sample.stages[:-1] if len(sample.stages) > 1 else ()
        fields = tuple(_field(each, coarse) for each in (*stages, sample.transform))
        name = f"{sample.index:06d}.npz"
        StoredCase(sample.subject, fields).write(self.path(name))
        return [name]

    def finish(self, cases: int) -> None:
        """Nothing describes the whole set."""


def _field(transform: Transform, grid: Grid) -> Field:
    return Field(transform.displacement_on(grid).movedim(0, -1).numpy(), grid)
