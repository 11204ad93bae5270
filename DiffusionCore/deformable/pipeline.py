"""The deformable registration: an affine one, and the refinement of a velocity field after it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import torch

from DiffusionCore.affine.foreground import extent
from DiffusionCore.affine.pipeline import AffineSettings
from DiffusionCore.affine.steps import Step
from DiffusionCore.build import choose_device
from DiffusionCore.checks import ConfigError
from DiffusionCore.deformable.alignment import Alignment, shared_account
from DiffusionCore.deformable.guidance import Guidance
from DiffusionCore.deformable.learned import FIELD, FieldEstimator, LearnedSettings, field_steps, load_learned
from DiffusionCore.deformable.levels import SMALL
from DiffusionCore.deformable.phase import GUIDE, doubted, refine_steps, time_of
from DiffusionCore.deformable.sampled import SampledField, SampledSettings, load_sampled
from DiffusionCore.deformable.segments import read_segments
from DiffusionCore.deformable.settings import Preset, RefinementSettings
from DiffusionCore.deformable.start import split
from DiffusionCore.deformable.stated import Calibrations, Teller, Witness, load_calibrations
from DiffusionCore.deformable.steering import Wishes
from DiffusionCore.models import find_model
from DiffusionCore.space import Volume
from DiffusionCore.transforms.affine import Affine

_COARSEST = 8  # voxels in the radius of an object


@dataclass(frozen=True)
class DeformableSettings:
    """How a deformable registration runs.

    Attributes:
        affine: the affine phases; None starts from the initial transform, or from the images as they lie.
        refinement: of the velocity field; None leaves it out.
        learned: the network that estimates or samples a field before it is refined; None, the default, leaves it out.
            What it brings: `Documentation/training/voxelmorph.md`.
        guidance: what a deformation is to reach beside alike images: it steers what is sampled, and the refinement then
            goes down an energy.

    Raises:
        ValueError: no phase is left, or nothing is left to be guided.
    """

    affine: AffineSettings | None = field(default_factory=AffineSettings)
    refinement: RefinementSettings | None = field(default_factory=RefinementSettings)
    learned: LearnedSettings | SampledSettings | None = None
    guidance: Guidance | None = None

    def __post_init__(self) -> None:
        if self.affine is None and self.learned is None and self.refinement is None:
            raise ValueError("'affine', 'learned' and 'refinement' are all None: nothing is left to do")
        if self.guidance is not None and self.refinement is None and not isinstance(self.learned, SampledSettings):
            raise ValueError("'guidance' needs a 'refinement' or a field that is sampled: nothing else is guided")

    @classmethod
    def of(cls, preset: Preset) -> DeformableSettings:
        """Return the settings of ``preset``."""
        return cls(refinement=RefinementSettings.of(preset))

    def expected_steps(self, after: Step | None = None) -> int:
        """Return how many steps a registration has that does not end early; those up to ``after`` count, too.

        Raises:
            CheckpointError: the model of the comparison is not to be found, damaged or of another kind.
        """
        done = 0 if after is None else after.index + 1
        if after is not None and (left := self.left_to_sample(after)):
            return done + left + (0 if self.refinement is None else len(self.refinement.shown()))
        if self.refinement is not None and after is not None and _deforms(after):
            return done + len(self.refinement.shown(time_of(after)))
        ahead = done + 1 if self.affine is None else self.affine.expected_steps(after)
        ahead += 0 if self.learned is None else self.learned.passes
        return ahead + (0 if self.refinement is None else len(self.refinement.shown()))

    def left_to_sample(self, after: Step) -> int:
        """Return how many steps of a sampled field come after ``after``, if it is one of them."""
        if after.phase != FIELD or not _deforms(after) or not isinstance(self.learned, SampledSettings):
            return 0
        return self.learned.passes - self.learned.done(after.time)


class DeformablePipeline:
    """Registers pairs as ``settings`` say; the networks are loaded once.

    Attributes:
        settings: see their type.
        calibrations: of the model of the field, by which the ends of its phases say how wrong they may be.

    Raises:
        CheckpointError: a model is not to be found, damaged or of another kind.
        StorageError: its calibration cannot be read.
    """

    def __init__(self, settings: DeformableSettings, *, device: str = "auto") -> None:
        self.settings, self._device = settings, choose_device(device)
        self._alignment = Alignment(settings.affine, device=device)
        self._learned = _load_estimator(settings.learned, device)
        learned = settings.learned
        self.calibrations = Calibrations() if learned is None else load_calibrations(find_model(learned.model))

    @property
    def spacing(self) -> float:
        """The mm between the voxels that the network sees of a head; 0 without a network."""
        return 0.0 if self._learned is None else self._learned.spacing

    @torch.inference_mode()
    def steps(
        self,
        fixed: Volume,
        moving: Volume,
        *,
        initial: Affine | None = None,
        generator: torch.Generator,
        after: Step | None = None,
    ) -> Iterator[Step]:
        """Yield the steps of the affine registration, and those of the field and its refinement after its result.

        Where the affine registration does not believe its own result ("caution"), nothing is refined: a deformation
        can make any two images more alike. Landmarks and a target segment are followed there, too, and they alone
        ("guide"); so it is where a run goes on after such a step.

        With ``after``, an affine step, the affine registration goes on from it, and what follows it. After a step of
        a field that is being sampled, the sampling goes on from its velocity, noised up to its time. After another step
        that deforms, the refinement goes on from its velocity: at its time if a refinement made it, else from the
        start. Without guidance, what comes out is never less alike, by the measure, than what the refinement
        started from.

        Raises:
            ConfigError: the step ``after`` deforms, and the settings have no refinement; or it was guided by landmarks
                or a segment alone, and the settings have neither; or the spacing of the refinement is too coarse.
            StorageError, GeometryError: the labels of a target segment cannot be read.
            VolumeError: an image is constant, contains NaN, or is thinner than 4 voxels; or labels lack the target.
        """
        last, refinement, guidance = after, self.settings.refinement, self.settings.guidance
        leads = guidance is not None and guidance.leads
        if refinement is not None:
            _check_spacing(fixed, moving, refinement.spacing)
        segments = read_segments(guidance)  # what cannot be used is refused before any step
        if after is not None and after.phase == GUIDE and not leads:
            raise ConfigError(
                "The images were not believed to be aligned, so that only landmarks or a target segment can deform. "
                "Choose some, or start anew from a better initial transform."
            )
        sampling = after is not None and self.settings.left_to_sample(after) > 0
        if not sampling and (refinement is None or last is None or not _deforms(last)):
            for step in self._alignment.steps(fixed, moving, initial, generator, after):
                yield (last := step)
        if last is None or (self._learned is None and refinement is None) or (doubted(last) and not leads):
            return
        account = shared_account(fixed, moving, generator, last)
        estimator, start, known = self._learned, last.transform, None
        teller: Teller | None = None
        if sampling:
            start, known = split(start, fixed.grid)
        if estimator is not None and isinstance(start, Affine) and not doubted(last):
            if isinstance(estimator, SampledField):
                wishes = None if guidance is None else Wishes(guidance, segments)
                course = {"known": known, "time": 1.0 if known is None else last.time}
                estimator = replace(estimator, seed=generator.initial_seed(), wishes=wishes, **course)
            witness = Witness(fixed, moving, start, estimator.spacing)
            teller = Teller(self.calibrations, witness, sampled=isinstance(estimator, SampledField))
            for step in field_steps(estimator, fixed, moving, start, account):
                yield (last := teller.field(step))
        if refinement is not None:
            for step in refine_steps(fixed, moving, last, refinement, guidance, segments, account, self._device):
                yield step if teller is None else teller.refined(step)


def _check_spacing(fixed: Volume, moving: Volume, spacing: float) -> None:
    """Refuse a ``spacing`` (mm) at which too little of the smaller object is seen to deform it.

    Raises:
        ConfigError: it has fewer than 8 voxels in its radius.
    """
    radius = min(extent(fixed).radius, extent(moving).radius)
    most = max(radius, SMALL) / _COARSEST
    if spacing > most:
        raise ConfigError(
            f"The 'spacing' of {spacing:g} mm shows too little of an object of {radius:.0f} mm in radius. "
            f"Choose at most {most:.1f} mm; 2 mm is the default."
        )


def _load_estimator(settings: LearnedSettings | SampledSettings | None, device: str) -> FieldEstimator | None:
    if isinstance(settings, SampledSettings):
        return load_sampled(settings, device)
    return None if settings is None else load_learned(settings, device)


def _deforms(step: Step) -> bool:
    return not isinstance(step.transform, Affine)
