"""RegistrationRequest: which nodes are to be registered, how, and into what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from DiffusionCore.mrml.steering import Steering


@dataclass(frozen=True, eq=False)
class RegistrationRequest:
    """One press of Register, as nodes and plain settings.

    Attributes:
        fixed, moving: volume nodes.
        transform: the output, a vtkMRMLTransformNode; None makes one, "<moving> to <fixed> transform".
        volume: receives the moving volume on the fixed grid; None, together with ``make_volume``, makes one.
        fixed_segmentation, moving_segmentation: segmentation or label map nodes; their overlap is measured.
        steering: what guides the deformation, for a method that has one.
        initial: a linear transform node where to start, in the direction of a result (from parent).
        method, settings, device, seed, samples: as in ``DiffusionCore.jobs.specification.RegistrationJob``.
        keep_steps: keep every step in a sequence.
        make_volume: make an output volume where none is given.
        carry: put the moving volume, its segmentation and its landmarks under the output at the first step, so that the
            views show them where the registration has them. Transforms that they lie under stay below the output.
        translate: from the names that are written into tables and charts to those in the language of the user.
    """

    fixed: Any
    moving: Any
    transform: Any = None
    volume: Any = None
    fixed_segmentation: Any = None
    moving_segmentation: Any = None
    initial: Any = None
    steering: Steering = field(default_factory=Steering)
    method: str = "affine"
    settings: dict[str, Any] = field(default_factory=dict)
    device: str = "auto"
    seed: int = 0
    samples: int = 1
    keep_steps: bool = True
    make_volume: bool = False
    carry: bool = True
    translate: Callable[[str], str] = str

    @property
    def carried(self) -> list[Any]:
        """The nodes that go with the moving volume, itself included."""
        nodes = (self.moving, self.moving_segmentation, self.steering.moving_landmarks)
        return [node for node in nodes if node is not None]

    @property
    def wants_volume(self) -> bool:
        """Whether the moving volume is to be resampled on the fixed grid."""
        return self.volume is not None or self.make_volume

    @property
    def moving_is_labels(self) -> bool:
        """Whether the moving volume is a label map, whose values must not be mixed."""
        return bool(self.moving.IsA("vtkMRMLLabelMapVolumeNode"))
