"""Synthesis: a new labeled case made of one that is there, beside what others deform theirs with.

Ours makes what a user gets, checks included: mean displacement, folds, labels that are lost or broken, and again what
fails them. Nobody else checks anything. The head is made, or the first labeled one of ``--data``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from DiffusionCore.benchmark.cases import find_cases
from DiffusionCore.checks import StorageError
from DiffusionCore.synthesis.settings import SynthesisSettings
from DiffusionCore.synthesis.subject import Segmentation, Subject
from DiffusionCore.synthesis.synthesizer import Synthesizer
from Testing.Benchmarks.options import Options, in_words
from Testing.Benchmarks.race import Contest, Point
from Testing.Benchmarks.suites import published_generation as published
from Testing.Benchmarks.suites.elastic import MISSING, Maker, makers
from Testing.Benchmarks.suites.made_head import made_head

RANDOM, RECOVERED, SEVERAL = "random fields", "recovered fields", "several cases"
_CASES = (1, 2, 4, 8)
_USUAL = 64  # voxels a side, of which several cases are made
_FEW = 3  # rounds, as some take long


def contests(options: Options) -> Iterator[Contest]:
    """Yield one case of each size, at random and recovered; then several of a small one."""
    for size, subject in _subjects(options):
        if options.wants(RANDOM):
            yield _random(size, subject)
        if options.wants(RECOVERED):
            yield _recovered(size, subject)
    if options.wants(SEVERAL):
        shape = next((shape for shape in options.sizes if min(shape) >= _USUAL), options.sizes[0])
        subject = made_head(shape)
        for count in _CASES[:2] if options.quick else _CASES:
            yield _several(in_words(shape), subject, count)


def _subjects(options: Options) -> Iterator[tuple[str, Subject]]:
    for shape in options.sizes:
        yield in_words(shape), made_head(shape)
    if options.data is not None:
        subject = _real(options)
        yield f"{in_words(subject.images[0].grid.shape)}, real", subject


def _real(options: Options) -> Subject:
    """Return the first fixed image with labels."""
    assert options.data is not None
    for case in find_cases(options.data):
        if case.fixed_segmentation is not None:
            pair = case.pair()
            assert pair.fixed_segmentation is not None
            return Subject(case.name, (pair.fixed,), (Segmentation(pair.fixed_segmentation),))
    raise StorageError(f"No pair below '{options.data}' has 'fixed_seg'.")


class Variants:
    """Ours: one new variant of ``subject`` with each call."""

    def __init__(self, subject: Subject, settings: SynthesisSettings) -> None:
        self._maker, self._numbers = Synthesizer(subject, settings), itertools.count()
        self._made = self._refused = 0

    def __call__(self) -> object:
        variant = self._maker.variant(next(self._numbers))
        self._made += 1
        self._refused += len(variant.redrawn)
        return variant

    def note(self) -> str:
        """Return how many draws it took."""
        return f"{self._made + self._refused} draws for {self._made} cases"


def _random(size: str, subject: Subject) -> Contest:
    alike, apart = Variants(subject, SynthesisSettings()), Variants(subject, SynthesisSettings(symmetry="off"))
    image, labels, spacing = _plain(subject)
    calls: dict[str, Maker] = {"ours": alike, "ours, sides apart": apart, **dict(makers(image, labels, spacing))}
    calls["published DRDM"] = published.generator(image, labels)
    notes = {"ours": alike.note, "ours, sides apart": apart.note, "published DRDM": _smaller}
    return Contest(RANDOM, size, calls, Point("voxels", image.size), _FEW, notes, MISSING)


def _recovered(size: str, subject: Subject) -> Contest:
    """Return the race with one of the 80 published steps; the whole of them takes too long."""
    ours = Variants(subject, SynthesisSettings(model="drdm"))
    image, labels, _ = _plain(subject)
    one = f"published DRDM, 1 of {published.RECOVERY} steps"
    calls: dict[str, Maker] = {"ours": ours, one: published.generator(image, labels, 1)}
    return Contest(RECOVERED, size, calls, Point("voxels", image.size), _FEW, {"ours": ours.note, one: _smaller})


def _smaller() -> str:
    return f"at most {published.LARGEST} voxels a side"


def _several(size: str, subject: Subject, count: int) -> Contest:
    """Return the race for ``count`` cases, with all that has to be known of the original before."""

    def ours() -> object:
        synthesizer = Synthesizer(subject, SynthesisSettings())
        return [synthesizer.variant(number) for number in range(count)]

    image, labels, spacing = _plain(subject)
    others = {name: _repeated(maker, count) for name, maker in makers(image, labels, spacing)}
    words = f"{count} of {size}"
    return Contest(SEVERAL, words, {"ours": ours, **others}, Point("cases", count), _FEW, missing=MISSING)


def _repeated(maker: Maker, count: int) -> Callable[[], object]:
    return lambda: [maker() for _ in range(count)]


def _plain(subject: Subject) -> tuple[np.ndarray, np.ndarray, float]:
    """Return image, labels and mean spacing, as the others take them."""
    image, segmentation = subject.images[0], subject.segmentations[0].volume
    labels = np.unique(segmentation.values, return_inverse=True)[1].reshape(image.values.shape)
    return image.values.astype(np.float32), labels.astype(np.uint8), float(np.mean(image.grid.spacing))
