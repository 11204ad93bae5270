"""What a finished registration leaves in the scene beside the transform and its steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from DiffusionCore.mrml.nodes import add_node
from DiffusionCore.mrml.sequences import StepSequence

TABLE, RESULTS, CHART, SPREAD = (f"SpatialDiffusion.{name}" for name in ("table", "results", "chart", "spread"))
ROLES = (TABLE, RESULTS, CHART, SPREAD)


@dataclass(frozen=True)
class OutputNodes:
    """The nodes of a run; None where there is none (yet).

    Attributes:
        transform: the vtkMRMLTransformNode; it always holds the step that is shown.
        volume: the moving volume on the fixed grid.
        steps: the active branch.
        table: metrics of every step, a row per step.
        results: Measure | Before | After.
        chart: the vtkMRMLPlotChartNode of the metrics over the steps.
        spread: where repeated solutions differ, mm.
    """

    transform: Any
    volume: Any = None
    steps: StepSequence | None = None
    table: Any = None
    results: Any = None
    chart: Any = None
    spread: Any = None


def output_of(transform: Any, role: str, class_name: str, name: str, created: Callable[[Any], Any]) -> Any:
    """Return the node that belongs to ``transform`` in ``role``: that of the run before, or a new one.

    ``created`` is told about a new one.
    """
    node = transform.GetNodeReference(role)
    if node is None or not node.IsA(class_name):
        node = created(add_node(transform.GetScene(), class_name, name))
        transform.SetNodeReferenceID(role, node.GetID())
    return node
