"""A derivative folder in the manner of BIDS."""

from __future__ import annotations

from DiffusionCore import __version__
from DiffusionCore.storage.label_names import write_label_names
from DiffusionCore.storage.transforms import write_transform
from DiffusionCore.synthesis.layouts.base import ENDING, Source, VariantLayout, numbered
from DiffusionCore.synthesis.subject import in_layers
from DiffusionCore.synthesis.synthesizer import Variant


class Bids(VariantLayout):
    """A derivative in the manner of BIDS: sub-NAME/anat/sub-NAME_desc-deformedNNNN_*, with a dseg.tsv of label names.

    The suffix of the images is ``image``, as nobody says which modality they are.
    """

    def write(self, sample: Variant, source: Source) -> list[str]:
        name = _alphanumeric(source.name)
        case = f"sub-{name}/anat/sub-{name}_desc-deformed{sample.index:04d}"
        subject = sample.subject
        written = self.write_volumes(
            (f"{case}{numbered('_chunk-', channel)}_image{ENDING}", image)
            for channel, image in enumerate(subject.images)
        )
        for number, layers in enumerate(in_layers(subject.segmentations)):
            stem = f"{case}{numbered('_seg-', number)}_dseg"
            written += self.write_labels(stem, layers)
            if len(layers) == 1:
                write_label_names(self.path(f"{stem}.tsv"), layers[0].names)
        write_transform(self.path(f"{case}_xfm.h5"), sample.field)
        return [*written, f"{case}_xfm.h5", *self.write_points(f"{case}_points.csv", subject)]

    def finish(self, cases: int) -> None:
        made = {"Name": "DiffusionCore", "Version": __version__}
        content = {
            "Name": "Deformed variants",
            "BIDSVersion": "1.9.0",
            "DatasetType": "derivative",
            "GeneratedBy": [made],
        }
        self.write_json("dataset_description.json", content)


def _alphanumeric(name: str) -> str:
    return "".join(letter for letter in name if letter.isalnum()) or "case"
