import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import slicer
import torch
from nodes import OBLIQUE, POSE, add_transform, add_volume, contents, from_world, smooth_field, transform_to_node

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.jobs.in_process import InProcessRunner
from DiffusionCore.mrml.request import RegistrationRequest
from DiffusionCore.mrml.run import LiveRun, RunState
from DiffusionCore.mrml.worker_command import worker_command
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.resample import resample


def head(grid):
    """Return an ellipsoid with an uneven inside: enough for the registration of the core."""
    points = torch.from_numpy(grid.map(np.moveaxis(np.indices(grid.size), 0, -1), Frame.VOXEL, Frame.RAS)).numpy()
    inside = (((points - [2, 5, -3]) / [60, 75, 55]) ** 2).sum(-1) < 1
    values = inside * (300 + 150 * np.sin(points / [17, 23, 19] + [0, 1, 2]).sum(-1))
    return Volume(values.T.astype(np.int16), grid)


ROOT = Path(__file__).resolve().parents[2]
CLASSICAL = {"model": None}  # without the network: what is tested is the way there and back


@pytest.mark.parametrize("runner_of", [None, InProcessRunner], ids=["worker process", "this process"])
def test_the_registration_of_the_core_aligns_coarse_volumes_within_a_voxel(scene, logic, runner_of):
    fixed = head(Grid((44, 48, 40), (4, 4, 4.5), (-90, -95, -85), ((1, 0, 0), (0, 0.8, -0.6), (0, 0.6, 0.8))))
    grid = Grid((50, 46, 42), (3.8, 4.2, 4), (100, -90, -80), ((-1, 0, 0), (0, 1, 0), (0, 0, 1)))
    pose = Affine.exponential((0.12, -0.08, 0.15, 8, -6, 5))
    moving = resample(head(grid), grid, pose.inverse())
    output, seen = add_transform(scene), []
    result = logic.register(
        add_volume(scene, fixed, "fixed"),
        add_volume(scene, moving, "moving"),
        output,
        settings=CLASSICAL,
        onStep=seen.append,
        runnerOf=runner_of,
    )
    points = np.random.default_rng(1).uniform(-35, 35, (50, 3))
    assert np.linalg.norm(from_world(output, points) - pose.map(torch.from_numpy(points)).numpy(), axis=1).max() < 4
    assert len(result.steps) == result.table.GetNumberOfRows() == len(seen) > 3
    assert [step.index for step in seen] == list(range(len(seen)))
    assert {"similarity", "overlap"} <= {
        result.table.GetColumnName(column) for column in range(result.table.GetNumberOfColumns())
    }
    similarity = logic.run.measures[0]
    assert similarity.after > similarity.before


def test_the_registration_of_the_core_starts_where_it_is_told(scene, logic, pair):
    start = add_transform(scene, "start")
    transform_to_node(POSE, start)
    seen = []
    result = logic.register(
        *pair, initialTransform=start, settings=CLASSICAL, onStep=seen.append, shouldStop=lambda: True
    )
    assert np.allclose(result.steps.transform_of(0).values, POSE.matrix)
    assert seen[0].index == 0


def test_a_field_to_start_from_is_refused(scene, logic, pair):
    start = add_transform(scene, "start")
    transform_to_node(smooth_field(OBLIQUE), start)
    before = contents(scene)
    with pytest.raises(DiffusionCoreError, match='"start" is not linear'):
        logic.register(*pair, initialTransform=start)
    assert contents(scene) == before


def test_what_the_core_refuses_leaves_the_scene_as_it_was(scene, logic, pair):
    before = contents(scene)
    with pytest.raises(DiffusionCoreError, match="nonsense"):
        logic.register(*pair, settings={"nonsense": 1})
    assert contents(scene) == before


def test_a_worker_that_dies_leaves_its_steps(scene, pair):
    run = LiveRun(RegistrationRequest(*pair, settings=CLASSICAL))
    wait_for(run, lambda: run.history)
    os.kill(run._runner.pid, signal.SIGKILL)
    wait_for(run, lambda: run.state.ended)
    assert run.state is RunState.FAILED
    assert re.search(r"ended unexpectedly after step \d+ .*(is|are) kept\.", run.message)
    assert len(run.nodes.steps) == len(run.history) >= 1
    assert pair[1].GetParentTransformNode() is run.nodes.transform
    run.undo()
    assert pair[1].GetParentTransformNode() is None


def test_the_process_of_slicer_never_loads_torch(tmp_path):
    done = subprocess.run([sys.executable, Path(__file__).parent / "register_without_torch.py"], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert b"FINISHED" in done.stdout


def test_only_warping_needs_torch_among_what_knows_slicer():
    modules = [path.stem for path in (ROOT / "DiffusionCore" / "mrml").glob("*.py")]
    names = ", ".join(f"DiffusionCore.mrml.{name}" for name in modules if name not in ("__init__", "warping"))
    listing = f"import sys, {names}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", listing], check=True, cwd=ROOT)


@pytest.mark.parametrize("moment", ["starting", "after the first step", "killed after it"])
def test_a_registration_that_is_stopped_leaves_no_process_no_file_and_no_node(scene, pair, moment):
    before = contents(scene)
    run = LiveRun(RegistrationRequest(*pair, settings=CLASSICAL, make_volume=True))
    wait_for(run, lambda: run._runner is not None if moment == "starting" else run.history)
    number, folder = run._runner.pid, run._runner._folder
    assert folder.exists()
    run.force_stop() if moment.startswith("killed") else run.stop()
    wait_for(run, lambda: run.state.ended, seconds=30)
    assert run.state is RunState.STOPPED
    wait_for(run, lambda: not folder.exists() and not is_alive(number))
    run.undo()
    assert contents(scene) == before


def test_the_windows_of_slicer_live_while_a_script_waits(logic, pair, monkeypatch):
    calls = []
    monkeypatch.setattr(slicer, "app", SimpleNamespace(processEvents=lambda: calls.append(1)), raising=False)
    logic.register(*pair, settings=CLASSICAL)
    assert len(calls) > 3


def is_alive(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(run, condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        run.poll()
        time.sleep(0.001)


def test_workers_run_in_the_python_of_slicer_where_there_is_one(tmp_path, monkeypatch):
    assert worker_command()[0] == sys.executable
    program = tmp_path / "PythonSlicer"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    found, environment = worker_command()
    assert found == str(program)
    assert environment["PYTHONPATH"] == os.pathsep.join([str(ROOT), "elsewhere"])
