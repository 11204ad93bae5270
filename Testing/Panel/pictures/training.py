"""The section Training: a real training of a tiny network, followed, stopped, resumed, killed and used."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from clicking import click
from desk import PIPELINES, ROOT

from pictures.booth import LOW, Booth

# Makes weights that are those of a registration, by another Python: here there is no torch
_WEIGHTS = """
import sys, torch
from pathlib import Path
from DiffusionCore.storage.checkpoint import Checkpoint, save_checkpoint
save_checkpoint(Path(sys.argv[1]), Checkpoint("pose", {}, {"w": torch.ones(2)}, {"steps": 60}))
"""


def take(booth: Booth) -> None:
    """Take the pictures."""
    with TemporaryDirectory() as folder:
        program = Path(folder) / "bin" / "PythonSlicer"
        program.parent.mkdir()
        command = f'"{sys.executable}" "{PIPELINES / "line_trainer.py"}" "$@" log_every=1 pause=0.12'
        program.write_text(f"#!/bin/sh\nexec {command}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        kept = {name: os.environ.get(name) for name in ("PATH", "SPATIALDIFFUSION_MODELS")}
        os.environ["PATH"] = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
        os.environ["SPATIALDIFFUSION_MODELS"] = str(Path(folder) / "models")
        try:
            _train(booth, Path(folder) / "trainings")
        finally:
            os.environ.update({name: value for name, value in kept.items() if value is not None})


def _train(booth: Booth, folder: Path) -> None:
    desk = booth.fresh()
    section = desk.panel._training
    desk.parameters.trainingFolder = folder

    def find(name: str) -> object:
        import qt

        return desk.widget.findChild(qt.QWidget, f"training{name}")

    def shoot(name: str) -> None:
        booth.shoot(f"training-{name}", LOW, find("UseButton"))

    booth.note("Training is collapsed at the start", find("Section").collapsed)
    for name in ("inputs", "outputs", "steps"):
        getattr(desk.ui, f"{name}Section").collapsed = True
    find("Section").collapsed = False
    shoot("ready")
    click(find("StartButton"))
    desk.wait_for(lambda: section.run is not None and len(section.run.checks) >= 2)
    shoot("running")
    click(find("StartButton"))
    desk.wait_for(lambda: not section.running)
    shoot("stopped")
    click(find("ResumeButton"))
    desk.wait_for(lambda: not section.running)
    shoot("done")
    desk.parameters.trainingName = "killed"
    click(find("StartButton"))
    desk.wait_for(lambda: section.run.step >= 7)
    os.kill(section.run.record.pid, signal.SIGKILL)
    desk.wait_for(lambda: not section.running)
    shoot("killed")
    place = folder / "my heads"
    place.mkdir()
    command = [sys.executable, "-c", _WEIGHTS, str(place / "weights.safetensors")]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    desk.parameters.trainingName = "my heads"
    booth.rest(0.2)
    table = find("ModelsTable")
    names = [table.item(row, 0).text() for row in range(table.rowCount)]
    table.selectRow(names.index("my heads"))
    shoot("use")
    click(find("UseButton"))
    for name in ("inputs", "outputs"):
        getattr(desk.ui, f"{name}Section").collapsed = False
    booth.shoot("training-used")
