"""Images with their labels beside them."""

from __future__ import annotations

from DiffusionCore.storage.label_names import write_label_names
from DiffusionCore.synthesis.layouts.base import ENDING, CaseLayout, numbered
from DiffusionCore.synthesis.subject import Subject, in_layers


class SideBySide(CaseLayout):
    """NAME.nii.gz, its labels NAME_seg.nii.gz with their own values, and their names NAME_seg.tsv.

    The form that our own recipes, and ``synthesize --input``, read. Further channels are NAME_2, NAME_3, ...; further
    segmentations NAME_seg2, ... Segments that overlap lie in NAME_seg.seg.nrrd, with their names.
    """

    def write_case(self, name: str, subject: Subject) -> list[str]:
        written = self.write_volumes(
            (f"{name}{numbered('_', channel)}{ENDING}", image) for channel, image in enumerate(subject.images)
        )
        for number, layers in enumerate(in_layers(subject.segmentations)):
            stem = f"{name}_seg{numbered('', number)}"
            written += self.write_labels(stem, layers)
            if len(layers) == 1:
                write_label_names(self.path(f"{stem}.tsv"), layers[0].names)
        return written + self.write_points(f"{name}.csv", subject)

    def finish(self, cases: int) -> None:
        """Nothing describes the whole set."""
