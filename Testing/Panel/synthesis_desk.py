"""The panel DeformationSynthesis as a user has it in front of him."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from clicking import choose, click, wait_until
from desk import LIMIT, PanelDesk
from nodes_of_panel import SPACING, add_ball

from DiffusionCore.mrml.worker_command import process_runner


class SynthesisDesk(PanelDesk):
    """The panel DeformationSynthesis."""

    def __init__(self, panel_of, views, scene):
        super().__init__("DeformationSynthesis", panel_of, views, scene)
        # one process: to start more takes longer than these few small variants
        self.logic.runnerOf = lambda job: process_runner(replace(job, workers=1) if hasattr(job, "workers") else job)

    def choose_case(self, name="head"):
        """Add a labeled volume and choose it with the mouse; return the nodes."""
        volume, segmentation = add_case(self.scene, name)
        choose(self.ui.volumeSelector, name)
        choose(self.ui.segmentationSelector, f"{name} segmentation")
        return volume, segmentation

    def wait_for_end(self):
        wait_until(lambda: not self.logic.running and not self.panel.running, LIMIT)

    def press(self, button):
        """Press a button that begins something, and wait for its end."""
        click(button)
        self.wait_for_end()

    def generate(self, count=3):
        """Choose a case unless there is one, and make variants of it."""
        if self.parameters.source == "scene" and self.parameters.inputVolume is None:
            self.choose_case()
        self.parameters.count = count
        self.press(self.ui.generateButton)

    def table(self):
        """Return the texts of the table, a list for each of its lines, with whether it is kept in the first column."""
        import qt

        table = self.ui.variantsTable
        lines = []
        for line in range(table.rowCount):
            texts = [table.item(line, column).text() for column in range(1, table.columnCount)]
            lines.append([table.item(line, 0).checkState() == qt.Qt.Checked, *texts])
        return lines


def add_case(scene, name="head"):
    """Add a ball and the segmentation of it with the segments "inside" and "shell"; return the nodes."""
    import slicer

    volume = add_ball(scene, name)
    values = slicer.util.arrayFromVolume(volume)
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"{name} segmentation")
    segmentation.CreateDefaultDisplayNodes()
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    for label, mask in (("inside", values > 700), ("shell", (values > 200) & (values <= 700))):
        identifier = segmentation.GetSegmentation().AddEmptySegment(label, label)
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask.astype(np.uint8), segmentation, identifier, volume)
    return volume, segmentation


def write_folder(target, names=("anna", "bert")):
    """Write labeled balls as NAME.nii.gz and NAME_seg.nii.gz into the new folder ``target``, and return it."""
    from nodes_of_panel import ball_values

    from DiffusionCore.space import Grid, Volume
    from DiffusionCore.storage.volumes import write_volume

    target.mkdir()
    for number, name in enumerate(names):
        values = ball_values((0, 0, 0), 20 * number)
        k, j, i = values.shape
        grid = Grid((i, j, k), (SPACING, SPACING, SPACING))
        write_volume(target / f"{name}.nii.gz", Volume(values, grid))
        write_volume(target / f"{name}_seg.nii.gz", Volume((values > 500).astype(np.uint8), grid))
    return target
