"""The sample pair: two images of one brain, made on this computer, in the list of the module Sample Data."""

import os
import subprocess
import time
from pathlib import Path

import slicer
from slicer.i18n import tr as _

_CATEGORY = "SpatialDiffusion"
_NAMES = {"fixed": "Sample brain, T1", "moving": "Sample brain, turned, T2"}
_PAUSE = 0.02  # seconds between two looks at the process
# Run by another Python: making the pair needs torch, and nilearn for the template of the brain
_CODE = """
import sys
from pathlib import Path
from DiffusionCore.sample import make_sample
from DiffusionCore.storage.volumes import write_volume
try:
    sample, folder = make_sample(resolution=2), Path(sys.argv[1])
    for name in ("fixed", "moving"):
        write_volume(folder / f"{name}.nii.gz", getattr(sample, name))
except Exception as error:
    sys.exit(str(error))
"""


def registerSampleData():
    """List the pair in Sample Data; called when Slicer has started."""
    try:
        from SampleData import SampleDataLogic
    except ImportError:  # Slicer can be started without that module
        return
    if hasattr(SampleDataLogic, "registerCustomSampleDataCategory"):  # newer than 5.10
        SampleDataLogic.registerCustomSampleDataCategory(_CATEGORY, title=_("Spatial Diffusion"))
    icon = Path(__file__).resolve().parent.parent / "Resources" / "Icons" / "SpatialDiffusion.png"
    SampleDataLogic.registerCustomSampleDataSource(
        category=_CATEGORY,
        sampleName="SpatialDiffusionPair",
        uris="",
        fileNames="",
        nodeNames="SpatialDiffusionPair",
        thumbnailFileName=os.fspath(icon),
        customDownloader=loadSample,
    )


def loadSample(_source=None):
    """Make the pair, or take it from the cache; return its two volume nodes, or none after a message."""
    folder = Path(slicer.mrmlScene.GetCacheManager().GetRemoteCacheDirectory()) / "SpatialDiffusionPair"
    files = {name: folder / f"{name}.nii.gz" for name in _NAMES}
    if not all(file.is_file() for file in files.values()):
        problem = _make(folder)
        if problem:
            slicer.util.errorDisplay(_("The sample could not be made: {problem}").format(problem=problem))
            return []
    return [slicer.util.loadVolume(os.fspath(file), {"name": _NAMES[name]}) for name, file in files.items()]


def _make(folder) -> str:
    """Write the files of the pair into ``folder`` while the application stays alive; return what went wrong."""
    from DiffusionCore.mrml.worker_command import worker_command

    folder.mkdir(parents=True, exist_ok=True)
    program, environment = worker_command()
    slicer.util.showStatusMessage(_("Making the sample pair..."), 3000)
    command = [program, "-c", _CODE, os.fspath(folder)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    while process.poll() is None:
        slicer.app.processEvents()
        time.sleep(_PAUSE)
    said = process.stderr.read().strip()
    process.stderr.close()
    return "" if process.returncode == 0 else said.splitlines()[-1] if said else str(process.returncode)
