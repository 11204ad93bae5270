"""Steps as items of a sequence: a transform node each, which knows phase, time and metrics as attributes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from DiffusionCore.jobs.events import StepMade
from DiffusionCore.mrml.transforms import plain_from_node, plain_to_node, without_ring
from DiffusionCore.space.plain import PlainTransform

_PHASE, _TIME, _METRICS = "SpatialDiffusion.phase", "SpatialDiffusion.time", "SpatialDiffusion.metrics"


@dataclass(frozen=True)
class KeptStep:
    """What an item knows about its step besides the transform; ``number`` is what people call it: 1, 2, 3, ..."""

    index: int
    phase: str
    time: float
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def number(self) -> int:
        """The step as people count."""
        return self.index + 1


def item_of(step: StepMade, output: Any) -> Any:
    """Return ``step`` as an item that the transform node ``output`` can show; it has the attributes of that node."""
    # An item of another class would make the browser replace the node of the user by a new one.
    item = output.CreateNodeInstance()
    for name in output.GetAttributeNames():
        item.SetAttribute(name, output.GetAttribute(name))
    item.SetAttribute(_PHASE, step.phase)
    item.SetAttribute(_TIME, f"{step.time:g}")
    item.SetAttribute(_METRICS, json.dumps({name: float(value) for name, value in step.metrics.items()}))
    plain_to_node(step.transform, item)
    return item


def step_in(item: Any, index: int) -> KeptStep:
    """Return what ``item`` knows about its step, which has ``index``."""
    metrics = json.loads(item.GetAttribute(_METRICS) or "{}")
    return KeptStep(index, item.GetAttribute(_PHASE), float(item.GetAttribute(_TIME)), metrics)


def transform_in(item: Any) -> PlainTransform:
    """Return the transform of ``item`` as it came out of the registration."""
    return without_ring(plain_from_node(item))
