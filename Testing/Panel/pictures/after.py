"""The panel after a run: the result, older steps, branches, the ways to look, Undo, and a saved scene."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from clicking import click, drag_slider, grab
from slicer_api_host.style import apply_theme

from pictures.booth import HIGH, LOW, THEMES, Booth, differing
from pictures.first_look import contrast_of


def take(booth: Booth) -> None:
    """Take the pictures."""
    finished(booth)
    looks(booth)
    older_steps(booth)
    saved(booth)
    uncertainty(booth)


def finished(booth: Booth) -> None:
    """Show the result, and what was before it; take it back."""
    import slicer

    desk = booth.with_sample()
    before = booth.view()
    booth.start()
    desk.wait_for_end()
    booth.shoot("state-finished")
    booth.shoot("state-finished-1000", HIGH)
    after = booth.view()
    layers = {view.GetForegroundOpacity() for view in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")}
    booth.note("foreground opacity", sorted(layers))
    click(desk.ui.beforeButton)
    looked_back = booth.view()
    booth.shoot("before-is-on")
    for theme in THEMES:
        apply_theme(theme)
        booth.rest(0.1)
        down, up = (Counter(map(tuple, grab(b).reshape(-1, 3))) for b in (desk.ui.beforeButton, desk.ui.gridButton))
        ratio = contrast_of(down.most_common(1)[0][0], up.most_common(1)[0][0])
        booth.note(f"contrast of a button that is down to one that is up, {theme}", ratio)
    apply_theme("light")
    click(desk.ui.beforeButton)
    booth.note("pixels that differ, Before off again", differing(booth.view(), after))
    click(desk.ui.undoButton)
    undone = booth.view()
    booth.shoot("after-undo")
    booth.save("views-before-and-undo", [before, after, looked_back, undone])
    booth.note("pixels that differ from before Register", {"Before": differing(looked_back, before)})
    booth.note("pixels that differ from before Register, Undo", differing(undone, before))
    booth.note("pixels that differ from before Register, result", differing(after, before))


def looks(booth: Booth) -> None:
    """Show Colors, Grid and Side by side, and that they leave no trace."""
    desk = booth.registered()
    plain, pictures = booth.view(), []
    for name in ("colors", "grid"):
        button = getattr(desk.ui, f"{name}Button")
        click(button)
        pictures.append(booth.view())
        click(button)
        booth.note(f"pixels that differ, {name} off again", differing(booth.view(), plain))
    booth.save("views-colors-and-grid", [plain, *pictures], 256)
    click(desk.ui.sideBySideButton)
    booth.rest(0.5)
    booth.save("views-side-by-side", [grab(booth.views.viewport())], 256)
    click(desk.ui.sideBySideButton)
    booth.note("pixels that differ, side by side off again", differing(booth.view(), plain))


def older_steps(booth: Booth) -> None:
    """Look at a step in the middle, and go on from there."""
    desk = booth.registered()
    last = booth.view()
    drag_slider(desk.ui.seekWidget.slider(), 3)
    booth.shoot("state-older-step")
    booth.save("views-older-step", [booth.view(), last])
    click(desk.ui.resumeButton)
    desk.wait_for(lambda: desk.status.startswith("Resumed from step") or not desk.logic.running)
    booth.shoot("state-resumed")
    desk.wait_for_end()
    booth.shoot("state-finished-branch")


def saved(booth: Booth) -> None:
    """Save the scene at an older step, close it, and load it."""
    import slicer

    desk = booth.registered()
    drag_slider(desk.ui.seekWidget.slider(), 3)
    pictures, views = [booth.panel_picture(height=HIGH)], [booth.view()]
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "scene.mrb")
        slicer.util.saveScene(path)
        desk.scene.Clear(False)
        slicer.util.loadScene(path)
        desk.wait_for(lambda: desk.ui.stepsBody.visible)
        pictures.append(booth.panel_picture(height=HIGH))
        views.append(booth.view())
    booth.save("panel-saved-and-loaded", pictures)
    booth.save("views-saved-and-loaded", views)
    rows = np.flatnonzero((pictures[0] != pictures[1]).any(axis=(1, 2)))
    booth.note("saved and loaded, pixels of the panel that differ", differing(*pictures))
    booth.note("saved and loaded, rows of the panel that differ", [int(rows[0]), int(rows[-1])] if len(rows) else [])
    booth.note("saved and loaded, pixels of the view that differ", differing(*views))


def uncertainty(booth: Booth) -> None:
    """Show where two solutions differ."""
    desk = booth.registered(samples=2)
    click(desk.ui.uncertaintyButton)
    views = [booth.view()]
    booth.shoot("uncertainty-is-on")
    drag_slider(desk.ui.seekWidget.slider(), 3)
    views.append(booth.view())
    booth.save("views-uncertainty", views, 256)
    booth.shoot("result-with-uncertainty", LOW, desk.ui.saveTransformButton)


def kill_the_worker(booth: Booth) -> None:
    """Measure how long it takes until the button is back after the worker was killed from outside."""
    desk = booth.with_sample()
    booth.start()
    desk.wait_for_step(6)
    since = time.monotonic()
    os.kill(desk.logic.run._runner.pid, signal.SIGKILL)
    desk.wait_for_end()
    booth.note("killed worker, button back after, s", round(time.monotonic() - since, 2))
    booth.shoot("error-worker-killed")
    desk.click_link()
    booth.shoot("error-worker-killed-details", LOW, desk.ui.copyLogButton)
