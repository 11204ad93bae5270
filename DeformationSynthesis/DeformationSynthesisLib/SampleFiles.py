"""The sample case: a brain with its tissues labeled, in the list of the module Sample Data."""

import os
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from DiffusionCore.mrml.nodes import add_node
from DiffusionCore.mrml.panels.samples import register_sample, sample_files
from DiffusionCore.mrml.segmentations import labels_to_node
from DiffusionCore.storage.label_names import LabelName

_COLORS = ("#5AA0FF", "#FFA05A", "#5ADCA0", "#F0DC5A", "#DC5AA0")


def registerSampleData():
    """List the case in Sample Data; called when Slicer has started."""
    icon = Path(__file__).resolve().parent.parent / "Resources" / "Icons" / "DeformationSynthesis.png"
    register_sample("DeformationSynthesisCase", icon, loadSample)


def loadSample(_source=None):
    """Make the case, or take it from the cache; return its volume and segmentation nodes, or none after a message."""
    from DiffusionCore.storage.volumes import read_volume  # needs packages that Slicer may not have yet

    files = sample_files(["fixed", "fixed_segmentation"])
    if not files:
        return []
    volume = slicer.util.loadVolume(os.fspath(files[0]), {"name": _("Labeled brain")})
    segmentation = add_node(slicer.mrmlScene, "vtkMRMLSegmentationNode", _("Labeled brain segmentation"))
    labels_to_node(read_volume(files[1]), _names(), segmentation)
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    return [volume, segmentation]


def _names():
    """Return the names of DiffusionCore.sample.LABELS, which needs torch."""
    texts = (
        _("left gray matter"),
        _("right gray matter"),
        _("left white matter"),
        _("right white matter"),
        _("fluid"),
    )
    return [LabelName(value, text, color) for value, (text, color) in enumerate(zip(texts, _COLORS, strict=True), 1)]
