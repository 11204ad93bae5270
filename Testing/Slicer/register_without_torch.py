"""Register two volumes of a scene as the panel does, in a process of its own; fail if torch came into it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import slicer

from DiffusionCore.mrml.checks import findings
from DiffusionCore.mrml.request import RegistrationRequest
from DiffusionCore.mrml.run import LiveRun
from DiffusionCore.mrml.volumes import volume_to_node
from DiffusionCore.space import Grid, Volume


def ball(scene, name, center):
    k, j, i = np.meshgrid(*(4.0 * np.arange(n) for n in (24, 26, 28)), indexing="ij")
    squares = ((i - center[0]) / 25) ** 2 + ((j - center[1]) / 32) ** 2 + ((k - center[2]) / 20) ** 2
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    volume_to_node(Volume((1000 * np.exp(-(squares**2))).astype(np.int16), Grid((28, 26, 24), (4, 4, 4))), node)
    return node


def main():
    scene = slicer.vtkMRMLScene()
    logic = slicer.vtkSlicerSequencesLogic()
    logic.SetMRMLScene(scene)
    fixed, moving = ball(scene, "fixed", (60, 50, 45)), ball(scene, "moving", (50, 55, 50))
    request = RegistrationRequest(fixed, moving, settings={"model": None}, make_volume=True)
    assert findings(request) == []
    run, deadline = LiveRun(request), time.monotonic() + 120
    while not run.state.ended and time.monotonic() < deadline:
        run.poll()
        time.sleep(0.005)
    moved = run.nodes.transform.GetTransformFromParent().TransformPoint(60, 50, 45)
    assert max(abs(a - b) for a, b in zip(moved, (50, 55, 50), strict=True)) < 4, moved
    run.undo()
    loaded = {name.split(".")[0] for name in sys.modules} & {"torch", "scipy", "SimpleITK", "nibabel", "safetensors"}
    assert not loaded, loaded
    sys.stdout.write(f"{run.state.name} {run.message}\n")


if __name__ == "__main__":
    main()
