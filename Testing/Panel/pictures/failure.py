"""The rows of the table of errors: pairs that cannot be registered as they are, and runs that end badly."""

from __future__ import annotations

import sys
import types
from contextlib import contextmanager

import numpy as np
from clicking import choose, click
from desk import PIPELINES
from nodes_of_panel import add_ball, add_image, add_pair, ball_values
from PySide6.QtCore import QPoint

from pictures.after import kill_the_worker
from pictures.booth import HIGH, LOW, Booth


def take(booth: Booth) -> None:
    """Take the pictures."""
    pairs(booth)
    ends(booth)
    kill_the_worker(booth)
    full_disk_pictures(booth)
    without_torch(booth)
    a_missing_model(booth)


def pairs(booth: Booth) -> None:
    """Show what is said about a pair before Register."""
    values = ball_values((0, 0, 0))
    spoiled = values.copy()
    spoiled[4:8, 5:9, 6:10] = np.nan
    cases = {
        "3-channels": np.stack([values] * 3, axis=-1),
        "4d": np.stack([values] * 6, axis=-1),
        "2d": values[:1],
        "constant": np.zeros_like(values),
        "nan": spoiled,
    }
    for name, array in cases.items():
        desk = booth.fresh()
        add_ball(desk.scene, "fixed")
        add_image(name, array)
        choose(desk.ui.fixedVolumeSelector, "fixed")
        choose(desk.ui.movingVolumeSelector, name)
        booth.shoot(f"error-{name}")
    desk = booth.fresh()
    _, moving = add_pair(desk.scene)
    moving.SetOrigin(200, 0, 0)
    choose(desk.ui.fixedVolumeSelector, "fixed")
    choose(desk.ui.movingVolumeSelector, "moving")
    booth.shoot("error-no-overlap")
    under_a_transform(booth)
    a_segmentation_of_another_size(booth)


def under_a_transform(booth: Booth) -> None:
    """Show a moving volume that has been moved by hand."""
    desk = booth.fresh()
    _, moving = desk.choose_pair()
    own = desk.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Transform_3")
    moving.SetAndObserveTransformNodeID(own.GetID())
    desk.panel.refresh()
    booth.shoot("error-under-a-transform")


def a_segmentation_of_another_size(booth: Booth) -> None:
    """Show a segmentation that was drawn on another image."""
    import slicer

    desk = booth.fresh()
    desk.choose_pair()
    half = slicer.util.addVolumeFromArray(ball_values((0, 0, 0))[::2], name="half")
    node = desk.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Segmentation")
    node.SetReferenceImageGeometryParameterFromVolumeNode(half)
    click(desk.ui.moreInputsGroup, QPoint(60, 8))
    choose(desk.ui.movingSegmentationSelector, "Segmentation")
    booth.shoot("error-geometry-mismatch")


def ends(booth: Booth) -> None:
    """Show runs that fail."""
    cases = {
        "gpu-memory": {"how": "gpu memory", "count": 6},
        "memory": {"how": "memory", "count": 6},
        "known": {"how": "known", "count": 0},
        "program": {"how": "error", "count": 6},
        "crash": {"how": "segmentation fault", "count": 6},
    }
    for name, settings in cases.items():
        desk = booth.fresh()
        desk.register("crashing", **settings)
        booth.shoot(f"error-{name}")
    from DiffusionCore.jobs.process import ProcessRunner

    desk = booth.fresh()
    desk.choose_pair()
    desk.logic.runnerOf = lambda job: ProcessRunner(job, "/no/such/PythonSlicer")
    desk.press_register()
    desk.wait_for_end()
    booth.shoot("error-no-python")


def full_disk_pictures(booth: Booth) -> None:
    """Show a disk that fills up during a run."""
    sys.path.append(str(PIPELINES))
    from full_disk import full_disk

    desk = booth.fresh()
    with full_disk(2_000_000):
        desk.register("fields", side=30, growth=20, count=4)
    booth.shoot("error-disk-full")


@contextmanager
def hidden(*names: str):
    """Within the block, there are no packages ``names`` for whoever looks for them."""
    former = {name: sys.modules.get(name) for name in names}
    sys.modules.update(dict.fromkeys(names))
    try:
        yield
    finally:
        for name, module in former.items():
            sys.modules.pop(name)
            if module is not None:
                sys.modules[name] = module


def without_torch(booth: Booth) -> None:
    """Show a Slicer in which torch is missing, and where its installation fails."""
    with hidden("torch", "nibabel", "tqdm"):
        desk = booth.fresh()
        add_pair(desk.scene)
        choose(desk.ui.fixedVolumeSelector, "fixed")
        choose(desk.ui.movingVolumeSelector, "moving")
        booth.shoot("error-no-torch")
        booth.shoot("error-no-torch-1000", HIGH)
        click(desk.ui.noteButton)
        booth.shoot("error-no-torch-no-installer")
        desk.widget.exit()
        desk.widget.enter()

        class PyTorchUtilsLogic:
            def installTorch(self, **_arguments):  # noqa: N802
                booth.shoot("state-installing")

        installer = types.ModuleType("PyTorchUtils")
        installer.PyTorchUtilsLogic = PyTorchUtilsLogic
        sys.modules["PyTorchUtils"] = installer
        try:
            click(desk.ui.noteButton)
        finally:
            del sys.modules["PyTorchUtils"]
        booth.shoot("error-offline")
    desk.widget.exit()
    desk.widget.enter()


def a_missing_model(booth: Booth) -> None:
    """Show a scene that was saved with a model that is not here."""
    desk = booth.fresh()
    desk.choose_pair()
    desk.parameters.preset = "model:my-affine-1"
    booth.shoot("error-model-missing", LOW)
