"""Tables, curves and uncertainty: what a result looks like in Slicer."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from nodes import LEFT_HANDED, OBLIQUE, POSE, add_transform, add_volume, array_of, blobs, from_world
from scripted_runner import playing, walk
from test_branches import save_and_load

from DiffusionCore.jobs.events import Finished, Measure
from DiffusionCore.mrml.curves import metrics_to_chart, series_of, words
from DiffusionCore.mrml.messages import done, duration, kept, stopped
from DiffusionCore.mrml.request import RegistrationRequest
from DiffusionCore.mrml.roles import CHART, RESULTS, SPREAD, TABLE
from DiffusionCore.mrml.run import LiveRun
from DiffusionCore.mrml.sequences import StepSequence
from DiffusionCore.mrml.step_items import KeptStep
from DiffusionCore.mrml.tables import digits, measures_to_node, metrics_to_node
from DiffusionCore.mrml.uncertainty import rounded_up, writing_spread
from DiffusionCore.space import Frame, Volume

STEPS = [
    KeptStep(0, "center", 1.0, {"mutual information": 0.2}),
    KeptStep(1, "polish", 0.0, {"mutual information": 0.5, "overlap": 0.9}),
]
SPREAD_MAP = Volume(np.linspace(0, 3.3, math.prod(OBLIQUE.size), dtype=np.float32).reshape(OBLIQUE.shape), OBLIQUE)
POINT = OBLIQUE.map([(5, 4, 3)], Frame.VOXEL, Frame.RAS)


def add(scene, class_name):
    return scene.AddNewNodeByClass(f"vtkMRML{class_name}Node", "result")


def test_metrics_become_a_table_with_a_row_per_step(scene):
    node = add(scene, "Table")
    for _ in range(2):
        metrics_to_node(STEPS, node)
    assert [node.GetColumnName(i) for i in range(node.GetNumberOfColumns())] == [
        "step", "phase", "time", "mutual information", "overlap",
    ]  # fmt: skip
    assert node.GetNumberOfRows() == 2
    assert [node.GetCellText(row, 0) for row in range(2)] == ["1", "2"]
    assert [node.GetCellText(row, 1) for row in range(2)] == ["center", "polish"]
    values = node.GetTable()
    assert math.isnan(values.GetValueByName(0, "overlap").ToDouble())
    assert values.GetValueByName(1, "mutual information").ToDouble() == 0.5


def test_measures_become_a_table_of_before_and_after_with_units(scene):
    node = add(scene, "Table")
    measures = [
        Measure("Similarity", "", 0.5234, 0.8311),
        Measure("Landmark distance", "mm", 12.34, 1.5),
        Measure("Folding", "%", None, 0.0),
        Measure("Overlap", "", math.nan, 0.5),
    ]
    measures_to_node(measures, node)
    assert [node.GetColumnName(i) for i in range(3)] == ["Measure", "Before", "After"]
    assert [[node.GetCellText(row, column) for column in range(3)] for row in range(4)] == [
        ["Similarity", "0.52", "0.83"],
        ["Landmark distance (mm)", "12.3", "1.50"],
        ["Folding (%)", "", "0.00"],
        ["Overlap", "-", "0.50"],
    ]


@pytest.mark.parametrize(
    ("value", "text"), [(0.005, "0.01"), (9.994, "9.99"), (99.94, "99.9"), (1204, "1204"), (-20, "-20.0")]
)
def test_numbers_have_two_or_three_digits(value, text):
    assert digits(value) == text


def test_every_metric_is_a_curve_over_the_steps(scene):
    table, chart = add(scene, "Table"), add(scene, "PlotChart")
    metrics_to_node(STEPS, table)
    metrics_to_chart(table, chart, added=lambda node: node, dropped=scene.RemoveNode)
    series = series_of(chart)
    assert [node.GetName() for node in series] == ["Mutual information", "Overlap"]
    assert {(node.GetTableNode().GetID(), node.GetXColumnName()) for node in series} == {(table.GetID(), "step")}
    assert [node.GetYColumnName() for node in series] == ["mutual information", "overlap"]
    assert len({node.GetColor() for node in series}) == 2
    assert chart.GetXAxisTitle() == "Step"


def test_percents_are_no_curve_beside_shares(scene):
    table, chart = add(scene, "Table"), add(scene, "PlotChart")
    metrics_to_node([replace(step, metrics={**step.metrics, "folding": 40.0}) for step in STEPS], table)
    metrics_to_chart(table, chart, added=lambda node: node, dropped=scene.RemoveNode)
    assert "folding" in {table.GetColumnName(number) for number in range(table.GetNumberOfColumns())}
    assert [node.GetName() for node in series_of(chart)] == ["Mutual information", "Overlap"]
    assert chart.GetYAxisRange()[1] < 2


def test_the_legend_has_a_place_above_the_curves(scene):
    table, chart = add(scene, "Table"), add(scene, "PlotChart")
    metrics_to_node(STEPS, table)
    metrics_to_chart(table, chart, added=lambda node: node, dropped=scene.RemoveNode)
    low, high = chart.GetYAxisRange()
    assert not chart.GetYAxisRangeAuto()
    assert low < 0.2  # the lowest value; the highest one is 0.9
    assert (0.9 - low) / (high - low) == pytest.approx(0.78, abs=0.02)


def test_tables_and_curves_speak_the_language_of_the_user(scene):
    table, chart, results = add(scene, "Table"), add(scene, "PlotChart"), add(scene, "Table")
    metrics_to_node(STEPS, table)
    metrics_to_chart(table, chart, added=lambda node: node, dropped=scene.RemoveNode, translate=str.upper)
    assert [node.GetName() for node in series_of(chart)] == ["MUTUAL INFORMATION", "OVERLAP"]
    assert chart.GetXAxisTitle() == "STEP"
    measures_to_node([Measure("Uncertainty, median", "mm", None, 0.31)], results, str.upper)
    assert [results.GetColumnName(i) for i in range(3)] == ["MEASURE", "BEFORE", "AFTER"]
    assert [results.GetCellText(0, i) for i in range(3)] == ["UNCERTAINTY, MEDIAN (mm)", "", "0.31"]


def test_curves_are_used_again_and_those_too_much_are_dropped(scene):
    table, chart = add(scene, "Table"), add(scene, "PlotChart")
    for steps in (STEPS, STEPS[:1], STEPS, STEPS):
        metrics_to_node(steps, table)
        metrics_to_chart(table, chart, added=lambda node: node, dropped=scene.RemoveNode)
        assert scene.GetNumberOfNodesByClass("vtkMRMLPlotSeriesNode") == len(series_of(chart)) == len(steps)


def test_metrics_are_written_as_people_write():
    assert words("mutual_information") == "Mutual information"


def test_the_uncertainty_has_a_unit_and_a_range_that_is_said(scene):
    node = add(scene, "ScalarVolume")
    for _ in range(2):
        assert list(writing_spread(SPREAD_MAP, node))
    display = node.GetDisplayNode()
    assert node.GetNumberOfDisplayNodes() == 1
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0, 5)
    assert not display.GetAutoWindowLevel()
    assert display.GetColorNode().GetName() == "Iron"
    assert node.GetVoxelValueUnits().GetCodeValue() == "mm"
    assert "from 0 to 5 mm" in node.GetDescription()
    assert np.array_equal(array_of(node), SPREAD_MAP.values)


@pytest.mark.parametrize(("value", "top"), [(0, 0.1), (0.11, 0.2), (1, 1), (1.01, 2), (3.3, 5), (7, 10), (40, 50)])
def test_ranges_end_at_one_two_or_five(value, top):
    assert rounded_up(value) == pytest.approx(top)


def test_an_end_is_told_in_one_sentence_or_two():
    assert done(18.2, []) == "Done in 18 s."
    assert done(2.34, [Measure("Folding", "%", None, 0.123)]) == "Done in 2.3 s. Folding 0.12 %."
    assert stopped(5, 15) == "Stopped at step 6 of 15."
    assert stopped(5, None) == "Stopped at step 6."
    assert kept("It broke.", STEPS[:1], in_sequence=True) == "It broke. Step 1 is kept."
    assert kept("It broke.", STEPS, in_sequence=False) == "It broke. The transform holds step 2."


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.84, "0.8 s"), (59.4, "59 s"), (185, "3 min 5 s"), (4200, "1 h 10 min")]
)
def test_times_are_told_as_people_say_them(seconds, text):
    assert duration(seconds) == text


def test_a_saved_scene_brings_a_whole_result_back(scene, pair, tmp_path):
    end = Finished(False, {}, (Measure("Similarity", "", 0.5, 0.8),), blobs(OBLIQUE).values, spread=SPREAD_MAP)
    run = LiveRun(RegistrationRequest(*pair, make_volume=True), playing([*walk([POSE.fraction(0.5), POSE]), end]))
    while not run.state.ended:
        run.poll()
    run.nodes.steps.select(0)
    name, expected = run.nodes.transform.GetName(), from_world(run.nodes.transform, POINT)
    del run
    save_and_load(scene, tmp_path, "mrb")
    output = scene.GetFirstNodeByName(name)
    steps = StepSequence.restore(output)
    assert (steps.shown, len(steps)) == (0, 2)
    assert steps.step_of(1).metrics == {"overlap": 0.51}
    assert np.allclose(from_world(output, POINT), expected, atol=1e-6)
    assert scene.GetFirstNodeByName("moving").GetParentTransformNode() is output
    assert output.GetNodeReference(TABLE).GetNumberOfRows() == 2
    assert output.GetNodeReference(RESULTS).GetCellText(0, 2) == "0.80"
    assert [node.GetYColumnName() for node in series_of(output.GetNodeReference(CHART))] == ["overlap"]
    display = output.GetNodeReference(SPREAD).GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0, 5)
    again = LiveRun(
        RegistrationRequest(scene.GetFirstNodeByName("fixed"), scene.GetFirstNodeByName("moving"), output),
        playing(walk([POSE])),
    )
    while not again.state.ended:
        again.poll()
    assert scene.GetNumberOfNodesByClass("vtkMRMLTableNode") == 2
    assert [len(branch) for branch in StepSequence.all_of(output)] == [1]


def test_a_moved_volume_looks_like_the_moving_one(scene, pair):
    display = pair[1].GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(120, 60)
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGreen")
    run = LiveRun(RegistrationRequest(*pair, make_volume=True), playing(walk([POSE])))
    while not run.state.ended:
        run.poll()
    shown = run.nodes.volume.GetDisplayNode()
    assert (shown.GetWindow(), shown.GetLevel()) == (120, 60)
    assert shown.GetColorNodeID() == "vtkMRMLColorTableNodeGreen"
    assert run.nodes.volume.GetParentTransformNode() is None


def test_a_steps_line_can_be_read_from_the_output_itself(scene, pair):
    output = add_transform(scene)
    fixed, moving = add_volume(scene, blobs(OBLIQUE)), add_volume(scene, blobs(LEFT_HANDED))
    run = LiveRun(RegistrationRequest(fixed, moving, output), playing(walk([POSE, POSE, POSE])))
    while not run.state.ended:
        run.poll()
    run.nodes.steps.select(1)
    assert (output.GetAttribute("SpatialDiffusion.phase"), output.GetAttribute("SpatialDiffusion.time")) == (
        "search",
        "0.5",
    )
