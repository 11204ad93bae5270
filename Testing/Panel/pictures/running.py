"""The panel while it registers, and how a run can be stopped."""

from __future__ import annotations

import sys

import numpy as np
from clicking import click, drag_slider
from vtk import vtkMatrix4x4

from pictures.booth import HIGH, Booth, differing


def take(booth: Booth) -> None:
    """Take the pictures."""
    register_the_sample(booth)
    drag_during_a_run(booth)
    stop_in_time(booth)
    stop_what_hangs(booth)
    lose_a_node(booth)


def register_the_sample(booth: Booth) -> None:
    """Follow the registration of the sample pair step by step."""
    desk = booth.with_sample()
    view = desk.views.sliceWidget("Red")
    zoom, before = view.mrmlSliceNode().GetFieldOfView(), booth.view()
    place = desk.ui.registerButton.geometry
    booth.start()
    booth.shoot("state-starting")
    booth.note("Stop has the place and size of Register", desk.ui.registerButton.geometry == place)
    seen, placed, shot = {}, {}, False
    while desk.logic.running:
        count = desk.panel.lastStep or 0
        desk.wait_for(lambda count=count: not desk.logic.running or (desk.panel.lastStep or 0) > count)
        if desk.logic.running:
            number = desk.panel.lastStep
            seen[number], placed[number] = booth.view(), corners(desk)
            if number >= 5 and not shot:
                shot = True
                booth.shoot("state-running")
                booth.shoot("state-running-1000", HIGH)
    desk.wait_for_end()
    after, last = booth.view(), corners(desk)
    away = {number: float(np.linalg.norm(place - last, axis=1).mean()) for number, place in placed.items()}
    pairs = [number for number in seen if number + 1 in seen]
    first = max(pairs, key=lambda number: away[number] - away[number + 1])
    booth.save("views-consecutive-steps", [before, seen[first], seen[first + 1], after])
    booth.note(
        "consecutive steps",
        {
            "shown": [first, first + 1],
            "pixels that differ": differing(seen[first], seen[first + 1]),
            "corners of the moving volume from where they end, mm": [round(away[n], 1) for n in (first, first + 1)],
        },
    )
    booth.note("field of view before and after, mm", [zoom, view.mrmlSliceNode().GetFieldOfView()])


def corners(desk: object) -> np.ndarray:
    """Return where the output takes the corners of the moving volume, (8, 3) RAS mm."""
    moving, matrix = desk.parameters.movingVolume, vtkMatrix4x4()
    moving.GetIJKToRASMatrix(matrix)
    ends = np.meshgrid(*((0, size) for size in moving.GetImageData().GetDimensions()), indexing="ij")
    points = [matrix.MultiplyPoint((*corner, 1))[:3] for corner in np.stack(ends, axis=-1).reshape(8, 3).tolist()]
    transform = desk.parameters.outputTransform.GetTransformToParent()
    return np.array([transform.TransformPoint(point) for point in points])


def drag_during_a_run(booth: Booth) -> None:
    """Look back while it computes on."""
    desk = booth.with_sample()
    booth.start()
    desk.wait_for_step(6)
    with booth.held():
        drag_slider(desk.ui.seekWidget.slider(), 1)
    desk.wait_for(lambda: not desk.ui.liveButton.checked)
    status = desk.status
    desk.wait_for(lambda: desk.status not in ("", status))
    booth.shoot("live-off-after-dragging")


def stop_in_time(booth: Booth) -> None:
    """Press Stop in the middle."""
    desk = booth.with_sample()
    booth.start()
    desk.wait_for_step(6)
    desk.stop()
    booth.shoot("state-stopping")
    desk.wait_for_end()
    booth.shoot("state-stopped-early")


def stop_what_hangs(booth: Booth) -> None:
    """Press Stop in a step that never ends, with a worker that is given a minute to end it."""
    desk = booth.with_sample()
    desk.use("hanging", count=4)
    plain = desk.logic.runnerOf

    def patient(job: object) -> object:
        runner = plain(job)
        runner._grace = 60.0
        return runner

    desk.logic.runnerOf = patient
    booth.start()
    desk.wait_for_step(4)
    desk.stop()
    desk.wait_for(lambda: desk.ui.registerButton.text == "Force stop")
    booth.shoot("state-force-stop")
    click(desk.ui.registerButton)
    desk.wait_for_end()


def lose_a_node(booth: Booth) -> None:
    """Delete what a run needs, and close the scene."""
    for name in ("node-deleted", "scene-closed"):
        desk = booth.with_sample()
        desk.use("shifts", count=100, pause=0.2)
        booth.start()
        desk.wait_for_step(2)
        if name == "node-deleted":
            desk.scene.RemoveNode(desk.parameters.movingVolume)
        else:
            desk.scene.Clear(False)
        desk.wait_for_end()
        booth.shoot(f"state-{name}")
    assert "torch" not in sys.modules
