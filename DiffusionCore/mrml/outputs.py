"""The nodes that a registration fills: the transform and its steps while it runs, everything else at its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from DiffusionCore.jobs.events import REPEATS, Finished, Measure, StepMade
from DiffusionCore.mrml.curves import metrics_to_chart
from DiffusionCore.mrml.nodes import add_node
from DiffusionCore.mrml.request import RegistrationRequest
from DiffusionCore.mrml.roles import CHART, RESULTS, SPREAD, TABLE
from DiffusionCore.mrml.sequences import StepSequence, base_name
from DiffusionCore.mrml.step_items import KeptStep
from DiffusionCore.mrml.tables import measures_to_node, metrics_to_node
from DiffusionCore.mrml.transforms import plain_to_node, put_under, set_provenance
from DiffusionCore.mrml.uncertainty import writing_spread
from DiffusionCore.mrml.undo import UndoPoint
from DiffusionCore.mrml.volumes import writing
from DiffusionCore.space import Grid, Volume


@dataclass(frozen=True, eq=False)
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

    transform: Any = None
    volume: Any = None
    steps: StepSequence | None = None
    table: Any = None
    results: Any = None
    chart: Any = None
    spread: Any = None


class Outputs:
    """Fills the output nodes of ``request``; whatever it adds or replaces, ``undo`` knows.

    Tables, plots and uncertainty belong to the output transform (node references), so that the next run into the same
    transform uses them again.

    Attributes:
        nodes: what there is so far.
    """

    def __init__(self, request: RegistrationRequest, undo: UndoPoint, *, branch_at: int | None) -> None:
        self.nodes = OutputNodes(request.transform, request.volume)
        self._request, self._undo, self._branch_at = request, undo, branch_at
        self._scene = request.fixed.GetScene()
        self._begun = False
        replaced = branch_at is None and request.transform is not None
        self._former = StepSequence.all_of(request.transform) if replaced else []

    @property
    def begun(self) -> bool:
        """Whether the scene shows a step of this run."""
        return self._begun

    @property
    def steps(self) -> StepSequence | None:
        """The branch of this run; None if it is not kept, or if the user has deleted it."""
        steps = self.nodes.steps
        return steps if steps is not None and steps.is_present() else None

    def take_in(self, made: Sequence[StepMade], *, show: bool) -> None:
        """Keep the steps ``made``, and let the output transform hold the last of them if ``show``."""
        if not self._begun:
            self._begin()
        if self.steps is not None:
            self.steps.extend(made, show=show)
        else:
            plain_to_node(made[-1].transform, self.nodes.transform)
        if not self._begun and self._request.carry:
            for node in self._request.carried:
                if self._scene.IsNodePresent(node):
                    put_under(node, self.nodes.transform)
        self._begun = True

    def finishing(
        self, end: Finished, measures: Sequence[Measure], history: Sequence[KeptStep], grid: Grid
    ) -> Iterator[None]:
        """Write the moved volume, which lies on ``grid``, tables, plot and uncertainty; yields after each part."""
        moved = end.moved_labels if self._request.moving_is_labels else end.moved
        if moved is not None and self._request.wants_volume:
            if self.nodes.volume is None:
                name = f"{self._request.moving.GetName()} registered"
                self.nodes = replace(self.nodes, volume=self._add(self._request.moving.GetClassName(), name))
            yield from writing(Volume(moved, grid), self.nodes.volume, display=self._request.moving)
        yield
        produced = {RESULTS: bool(measures), SPREAD: end.spread is not None}
        self.conclude(history, {role for role, there in produced.items() if there})
        if measures:
            results = self._helper(RESULTS, "vtkMRMLTableNode", "results")
            measures_to_node(measures, results, self._request.translate)
            self.nodes = replace(self.nodes, results=results)
        if end.spread is not None:
            spread = self._helper(SPREAD, "vtkMRMLScalarVolumeNode", "uncertainty (mm)")
            yield from writing_spread(end.spread, spread, end.spread_is or REPEATS, self._request.translate)
            self.nodes = replace(self.nodes, spread=spread)

    def conclude(self, history: Sequence[KeptStep], produced: Set[str] = frozenset()) -> None:
        """Write what even a run that failed leaves: its metrics. Results of the run before it go.

        ``produced`` are the roles whose nodes are still to be filled, and therefore stay.
        """
        for role in {RESULTS, SPREAD} - produced:
            if (stale := self.nodes.transform.GetNodeReference(role)) is not None:
                self.nodes.transform.SetNodeReferenceID(role, None)
                self._undo.set_aside(stale)
        table = self._helper(TABLE, "vtkMRMLTableNode", "metrics")
        metrics_to_node(history, table)
        chart = self._helper(CHART, "vtkMRMLPlotChartNode", "curves")
        changes = {"added": self._undo.created, "dropped": self._undo.set_aside}
        metrics_to_chart(table, chart, **changes, translate=self._request.translate)
        set_provenance(self.nodes.transform, fixed=self._request.fixed, moving=self._request.moving)
        self.nodes = replace(self.nodes, steps=self.steps, table=table, chart=chart)

    def forget(self) -> None:
        """Note that the scene has been given back what it had."""
        self._begun = False
        self.nodes = OutputNodes(self._request.transform, self._request.volume)

    def _begin(self) -> None:
        request, transform = self._request, self.nodes.transform
        if transform is None:
            name = f"{request.moving.GetName()} to {request.fixed.GetName()} transform"
            transform = self._add("vtkMRMLTransformNode", name)
        steps = None
        for former in self._former:
            self._undo.replace(former)
        if request.keep_steps:
            origin = StepSequence.active_of(transform) if self._branch_at is not None else None
            steps = StepSequence.create(transform) if origin is None else origin.branch_from(self._branch_at)
            self._undo.added(steps)
        self.nodes = replace(self.nodes, transform=transform, steps=steps)

    def _add(self, class_name: str, name: str) -> Any:
        return self._undo.created(add_node(self._scene, class_name, name))

    def _helper(self, role: str, class_name: str, name: str) -> Any:
        """Return the node that belongs to the output transform in ``role``: that of the run before, or a new one."""
        transform = self.nodes.transform
        node = transform.GetNodeReference(role)
        if node is None or not node.IsA(class_name):
            node = self._add(class_name, f"{base_name(transform)} {name}")
            transform.SetNodeReferenceID(role, node.GetID())
        return node
