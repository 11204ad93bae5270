"""The folders of the published DRDM."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from DiffusionCore.storage.label_names import write_label_names
from DiffusionCore.storage.transforms import write_transform
from DiffusionCore.synthesis.layouts.base import ENDING, Source, VariantLayout, numbered
from DiffusionCore.synthesis.synthesizer import Variant


class PublishedDrdm(VariantLayout):
    """img/, msk/ and ddf/ with the names of the published program.

    PatientNNNN_SliceNNNNNN_AugImgNNNN_NoiseStepNNNN, with _GT behind the name of a mask; Patient is the number of the
    case, NoiseStep the mean displacement in tenths of a mm (its own is a time). Fields are displacements
    from the points of the variant to those of the case, LPS mm, for ITK (.nrrd).

    Raises:
        VolumeError: a case has segments that overlap.
    """

    def __init__(self, folder: Path, sources: Sequence[Source]) -> None:
        super().__init__(folder, sources)
        self.require_no_overlap("The layout of the published DRDM")

    def write(self, sample: Variant, source: Source) -> list[str]:
        level = round(10 * sample.checks.wanted_displacement_mm)
        case = f"Patient{source.number:04d}_Slice000000_AugImg{sample.index:04d}_NoiseStep{level:04d}"
        subject = sample.subject
        written = self.write_volumes(
            (f"img/{case}{numbered('_', channel)}{ENDING}", image) for channel, image in enumerate(subject.images)
        )
        written += self.write_volumes(
            (f"msk/{case}{numbered('_', number)}_GT{ENDING}", each.volume)
            for number, each in enumerate(subject.segmentations)
        )
        write_transform(self.path(f"ddf/{case}.nrrd"), sample.field, sample.field.grid)
        return [*written, f"ddf/{case}.nrrd", *self.write_points(f"pts/{case}.csv", subject)]

    def finish(self, cases: int) -> None:
        for source in self.sources:
            for number, names in enumerate(source.names):
                write_label_names(self.path(f"msk/Patient{source.number:04d}{numbered('_', number)}.tsv"), names)
