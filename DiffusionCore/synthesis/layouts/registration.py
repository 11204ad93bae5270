"""Pairs of images with the exact deformation between them, as the command evaluate reads them."""

from __future__ import annotations

from DiffusionCore.synthesis.layouts.base import Layout, Source
from DiffusionCore.synthesis.pairs import RegistrationPair, list_pairs, registration_pair, write_pair
from DiffusionCore.synthesis.subject import variant_name
from DiffusionCore.synthesis.synthesizer import Synthesizer


class RegistrationPairs(Layout[RegistrationPair]):
    """NAME_NNNN/ with fixed, moving, their first segmentations (.nii.gz) and truth.h5; pairs.csv lists them."""

    def draw(self, synthesizer: Synthesizer, index: int, seed: int) -> RegistrationPair:
        return registration_pair(synthesizer, index, seed=seed)

    def write(self, sample: RegistrationPair, source: Source) -> list[str]:
        name = variant_name(source.name, sample.index)
        return [f"{name}/{file}" for file in write_pair(self.folder / name, sample)]

    def finish(self, cases: int) -> None:
        list_pairs(self.folder)
