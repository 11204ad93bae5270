"""Samples in the list of the module Sample Data: images of one brain, made on this computer when they are asked for."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

_CATEGORY = "SpatialDiffusion"
_PAUSE = 0.02  # seconds between two looks at the process
# Run by another Python: making the images needs torch, and nilearn for the template of the brain
_CODE = """
import sys
from pathlib import Path
from DiffusionCore.sample import make_sample
from DiffusionCore.storage.volumes import write_volume
try:
    sample, folder = make_sample(resolution=2), Path(sys.argv[1])
    for name in sys.argv[2:]:
        write_volume(folder / f"{name}.nii.gz", getattr(sample, name))
except Exception as error:
    sys.exit(str(error))
"""


def register_sample(name: str, icon: Path, load: Callable[..., list[Any]]) -> None:
    """List the sample ``name`` in Sample Data; ``load`` is called to load its nodes."""
    try:
        from SampleData import SampleDataLogic
    except ImportError:  # Slicer can be started without that module
        return
    if hasattr(SampleDataLogic, "registerCustomSampleDataCategory"):  # newer than 5.10
        SampleDataLogic.registerCustomSampleDataCategory(_CATEGORY, title=_("Spatial Diffusion"))
    SampleDataLogic.registerCustomSampleDataSource(
        category=_CATEGORY,
        sampleName=name,
        uris="",
        fileNames="",
        nodeNames=name,
        thumbnailFileName=os.fspath(icon),
        customDownloader=load,
    )


def sample_files(names: Sequence[str]) -> list[Path]:
    """Return the files of the images ``names`` of the sample (``DiffusionCore.sample.Sample``), out of the cache.

    They are made if they are not there; the application stays alive meanwhile. Empty after a message about what went
    wrong.
    """
    folder = Path(slicer.mrmlScene.GetCacheManager().GetRemoteCacheDirectory()) / "SpatialDiffusionSample"
    files = [folder / f"{name}.nii.gz" for name in names]
    if not all(file.is_file() for file in files):
        problem = _make(folder, names)
        if problem:
            slicer.util.errorDisplay(_("The sample could not be made: {problem}").format(problem=problem))
            return []
    return files


def _make(folder: Path, names: Sequence[str]) -> str:
    """Write the files into ``folder``; return what went wrong."""
    from DiffusionCore.mrml.worker_command import worker_command

    folder.mkdir(parents=True, exist_ok=True)
    program, environment = worker_command()
    slicer.util.showStatusMessage(_("Making the sample..."), 3000)
    command = [program, "-c", _CODE, os.fspath(folder), *names]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    while process.poll() is None:
        slicer.app.processEvents()
        time.sleep(_PAUSE)
    assert process.stderr is not None
    said = process.stderr.read().strip()
    process.stderr.close()
    return "" if process.returncode == 0 else said.splitlines()[-1] if said else str(process.returncode)
