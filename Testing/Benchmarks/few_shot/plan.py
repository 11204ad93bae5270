"""What is the same in every training of the experiment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """The numbers of the experiment.

    Attributes:
        cases: labeled cases of a training.
        variants: of each of them, in every arm but the one without augmentation.
        originals: share of the training samples that are not deformed.
        spacing: mm; finer cases are brought to it.
        window: voxels (K, J, I) about the structures: what the network sees.
        jitter: voxels by which the window of a training sample is moved at most along each axis, in every arm.
        intensity: probability of a gamma, a bias field and noise in a training sample: the same ones in every arm.
        rotation, scale: degrees and deviation of the log-scale: of the random affine maps, where an arm has them.
        widths: channels of the U-Net at a half of the resolution, a quarter, ...
        background: weight of a voxel of the background in the cross-entropy; without it small structures come late.
        steps, rate: of the training, one window at a time.
        tilt: degrees by which every unseen case is turned for the second score.
    """

    cases: int = 5
    variants: int = 20
    originals: float = 0.2
    spacing: float = 2.0
    window: tuple[int, int, int] = (32, 56, 40)
    jitter: int = 4
    intensity: float = 0.5
    rotation: float = 8.0
    scale: float = 0.08
    widths: tuple[int, ...] = (24, 48, 96)
    background: float = 0.1
    steps: int = 800
    rate: float = 1e-2
    tilt: float = 20.0
