"""The sample pair: two images of one brain, in the list of the module Sample Data."""

import os
from pathlib import Path

import slicer

from DiffusionCore.mrml.panels.samples import register_sample, sample_files

_NAMES = {"fixed": "Sample brain, T1", "moving": "Sample brain, turned, T2"}


def registerSampleData():
    """List the pair in Sample Data; called when Slicer has started."""
    icon = Path(__file__).resolve().parent.parent / "Resources" / "Icons" / "SpatialDiffusion.png"
    register_sample("SpatialDiffusionPair", icon, loadSample)


def loadSample(_source=None):
    """Make the pair, or take it from the cache; return its two volume nodes, or none after a message."""
    files = sample_files(list(_NAMES))
    return [
        slicer.util.loadVolume(os.fspath(file), {"name": name})
        for file, name in zip(files, _NAMES.values(), strict=False)
    ]
