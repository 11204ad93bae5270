"""How the panel behaves while it registers: what it shows when, and whether anything ever sticks.

    python Testing/Benchmarks/panel_responsiveness.py [--cycles 100]

Runs the panel in the Slicer-API host with three slice views of 400 x 400 and prints

- from a field of 96^3 computed in the worker to the new pixels of a slice view;
- the longest gap between beats of a 5 ms timer, in that run and in an affine registration of the sample pair (1 mm);
- from the click on Stop to the button saying Register again, at several moments;
- the same after the worker was killed from outside;
- what so many times Register and Stop leave behind.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import statistics
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
ROOT = Path(__file__).resolve().parents[2]
CORE = str(ROOT / "Testing" / "Core")
sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "Host"), str(ROOT / "Testing" / "Panel"), CORE]

from clicking import click, wait_until  # noqa: E402
from slicer_api_host.application import start  # noqa: E402
from slicer_api_host.modules import load_module  # noqa: E402

FOLDERS = (Path("/dev/shm"), Path(os.environ.get("TMPDIR", "/tmp")))


def say(line: str) -> None:
    """Print ``line``."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Heartbeat:
    """A timer of 5 ms; ``longest`` is the largest gap between two beats within the block, s."""

    def __enter__(self) -> Heartbeat:
        import qt

        self.longest, self.phases, self._last = 0.0, [], time.perf_counter()
        self._timer = qt.QTimer()
        self._timer.setTimerType(qt.Qt.PreciseTimer)
        self._timer.setInterval(5)
        self._timer.timeout.connect(self._beat)
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._beat()
        self._timer.stop()

    def _beat(self) -> None:
        now = time.perf_counter()
        self.phases.append(now - self._last)
        self.longest, self._last = max(self.longest, now - self._last), now

    def text(self) -> str:
        late = sorted(self.phases)[-3:]
        return f"longest gaps of the event loop {', '.join(f'{1e3 * gap:.0f}' for gap in reversed(late))} ms"


class Desk:
    """The panel, three slice views and a pair of volumes."""

    def __init__(self) -> None:
        import slicer

        self.app, self.scene = start(), slicer.mrmlScene
        manager = self.app.layoutManager()
        manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        manager.viewport().resize(801, 848)
        manager.viewport().show()
        self.view = manager.sliceWidget("Red").sliceView()
        self.widget = load_module(ROOT / "SpatialDiffusion" / "SpatialDiffusion.py").widgetRepresentation()
        self.widget.resize(480, 1000)
        self.widget.show()
        self.widget.enter()
        self.panel = self.widget.self().panel
        self.logic, self.ui = self.panel.logic, self.panel.ui

    def choose(self, fixed: object, moving: object) -> None:
        """Take two volumes as the inputs and show them."""
        import slicer

        self.panel.parameters.fixedVolume, self.panel.parameters.movingVolume = fixed, moving
        slicer.util.setSliceViewerLayers(background=fixed, foreground=moving, foregroundOpacity=0.5)
        self.app.layoutManager().resetSliceViews()
        wait_until(lambda: self.ui.registerButton.enabled)
        self.pause(0.5)

    def use(self, factory: str | None, **settings: object) -> None:
        """Let the next runs be made by a pipeline of the tests; None by that of the panel."""
        from DiffusionCore.jobs.process import ProcessRunner

        environment = {**os.environ, "PYTHONPATH": CORE, "OMP_NUM_THREADS": "1"}

        def runner(job: object) -> ProcessRunner:
            job = replace(job, factory=f"job_pipelines:{factory}", method=factory, settings=settings)
            return ProcessRunner(job, environment=environment)

        self.logic.runnerOf = runner if factory else None

    def idle(self) -> bool:
        """Whether the button says Register and can be pressed."""
        return self.ui.registerButton.text == "Register" and self.ui.registerButton.enabled

    def pause(self, seconds: float) -> None:
        """Let the event loop run for ``seconds``."""
        until = time.monotonic() + seconds
        wait_until(lambda: time.monotonic() > until, seconds + 5)

    def finish(self, seconds: float = 120) -> None:
        """Wait for the end of the run."""
        wait_until(lambda: not self.logic.running and self.idle(), seconds)


def noise(name: str, shape: tuple[int, int, int], seed: int) -> object:
    """Add a volume node of smooth noise, 2 mm."""
    import numpy as np
    import slicer
    from scipy.ndimage import gaussian_filter

    values = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 4).astype(np.float32)
    node = slicer.util.addVolumeFromArray(1000 * (values - values.min()), name=name)
    node.SetSpacing(2, 2, 2)
    return node


def fields(desk: Desk) -> None:
    """Print how long a field of 96^3 is on its way to the pixels."""
    desk.use("fields", side=96, count=24, pause=0.25)
    seen: dict[int, float] = {}
    made: dict[int, float] = {}
    original = desk.logic.poll

    def note_drawing(*_: object) -> None:
        run = desk.logic.run
        if run is not None and run.nodes.steps is not None and run.nodes.steps.is_present():
            seen.setdefault(run.nodes.steps.shown, time.time())

    def poll() -> bool:
        changed = original()
        for number, moment in enumerate(desk.logic.run._made_at):
            made.setdefault(number, moment)
        return changed

    desk.logic.poll = poll
    tag = desk.view.renderWindow().AddObserver("EndEvent", note_drawing)
    click(desk.ui.registerButton)
    with Heartbeat() as heart:
        desk.finish()
    desk.view.renderWindow().RemoveObserver(tag)
    del desk.logic.poll
    ways = [seen[number] - made[number] for number in seen if number in made and seen[number] > made[number]][1:]
    line = f"median {1e3 * statistics.median(ways):.0f} ms, largest {1e3 * max(ways):.0f} ms"
    say(f"field of 96^3, computed to seen in the view, {len(ways)} fields: {line}")
    say(f"    {heart.text()}")


def registration(desk: Desk) -> None:
    """Print what an affine registration of the sample pair does to the event loop."""
    import subprocess

    import slicer

    code = (
        "import sys, numpy as np; from DiffusionCore.sample import make_sample; from DiffusionCore.space import Frame; "
        "s = make_sample(); [np.savez(sys.argv[1] + n, values=v.values, matrix=v.grid.matrix(Frame.VOXEL, Frame.RAS)) "
        "for n, v in (('fixed', s.fixed), ('moving', s.moving))]"
    )
    import tempfile

    import numpy as np

    nodes = []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-c", code, f"{folder}/"], check=True, cwd=ROOT)
        for name in ("fixed", "moving"):
            stored = np.load(f"{folder}/{name}.npz")
            nodes.append(slicer.util.addVolumeFromArray(stored["values"], stored["matrix"], name))
    desk.choose(*nodes)
    desk.use(None)
    since = time.perf_counter()
    click(desk.ui.registerButton)
    with Heartbeat() as heart:
        desk.finish()
    size = "x".join(map(str, nodes[0].GetImageData().GetDimensions()))
    say(f"affine registration of the sample pair ({size}), {time.perf_counter() - since:.1f} s from click to done:")
    say(f"    {heart.text()}; {desk.ui.statusLabel.text}; torch loaded here: {'torch' in sys.modules}")


def cancel(desk: Desk) -> None:
    """Print how long Stop takes, at several moments, also in a step that hangs."""
    took = []
    for factory, settings, wait in (
        ("shifts", {"count": 50, "pause": 0.3}, 0.6),
        ("shifts", {"count": 50, "pause": 0.3}, 2.5),
        ("shifts", {"count": 50, "pause": 0.3}, 4.0),
        ("hanging", {"count": 2}, 4.0),
    ):
        desk.use(factory, **settings)
        click(desk.ui.registerButton)
        desk.pause(wait)
        since = time.perf_counter()
        click(desk.ui.registerButton)
        desk.finish()
        took.append(f"{factory} after {wait} s: {time.perf_counter() - since:.2f} s")
    say(f"Stop to ready again: {'; '.join(took)}")


def killed(desk: Desk) -> None:
    """Print how long it takes until the panel can be used after its worker was killed."""
    desk.use("shifts", count=100, pause=0.2)
    click(desk.ui.registerButton)
    wait_until(lambda: (desk.logic.run.step or 0) >= 3, 30)
    os.kill(desk.logic.run._runner.pid, signal.SIGKILL)
    since = time.perf_counter()
    desk.finish()
    say(f"kill -9 to ready again: {time.perf_counter() - since:.2f} s; it says: {desk.ui.statusLabel.toolTip}")


def left_behind(desk: Desk) -> dict[str, object]:
    """Return what exists now: processes, threads, files of runs, observers and nodes."""
    gc.collect()
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    maps = Path("/proc/self/maps").read_text().count("spatial-diffusion")
    files = sorted(str(path) for folder in FOLDERS for path in folder.glob("spatial-diffusion-*"))
    nodes = desk.scene.GetNumberOfNodes()
    parameters = desk.panel.parameters
    observed = [desk.scene, parameters.fixedVolume, parameters.movingVolume]
    observers = [sum(node.HasObserver(event) for event in ("AnyEvent", "ModifiedEvent")) for node in observed]
    printed = [str(node).count("vtkObserver (") for node in observed]
    return {
        "processes": len(children),
        "threads": threading.active_count(),
        "maps": maps,
        "files": len(files),
        "nodes": nodes,
        "observers": (observers, printed),
        "open files": len(os.listdir("/proc/self/fd")),
    }


def cycles(desk: Desk, count: int) -> None:
    """Print what is left of many registrations that were stopped at once, a little later, or after some steps."""
    desk.use("shifts", count=200, pause=0.02)
    waits = [0.6, 0.7, 1.0, 2.5]
    for wait in (0.6, 2.5):  # what is made once
        click(desk.ui.registerButton)
        desk.pause(wait)
        click(desk.ui.registerButton)
        desk.finish()
        if desk.ui.undoButton.enabled:
            click(desk.ui.undoButton)
    before, since = left_behind(desk), time.perf_counter()
    for number in range(count):
        click(desk.ui.registerButton)
        desk.pause(waits[number % len(waits)])
        click(desk.ui.registerButton)
        desk.finish()
        if desk.ui.undoButton.enabled:
            click(desk.ui.undoButton)
    after = left_behind(desk)
    say(f"{count} times Register and Stop, {time.perf_counter() - since:.0f} s: {before} -> {after}")


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=100, help="how often to register and stop at last")
    options = parser.parse_args()
    desk = Desk()
    desk.choose(noise("fixed", (96, 100, 90), 0), noise("moving", (96, 100, 90), 1))
    fields(desk)
    cancel(desk)
    killed(desk)
    cycles(desk, options.cycles)
    registration(desk)


if __name__ == "__main__":
    main()
