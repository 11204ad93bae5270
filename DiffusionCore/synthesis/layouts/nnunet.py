"""The raw data set of nnU-Net v2."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from DiffusionCore.checks import VolumeError
from DiffusionCore.space import Volume
from DiffusionCore.storage.label_names import LabelName, write_label_names
from DiffusionCore.synthesis.layouts.base import ENDING, CaseLayout, Source
from DiffusionCore.synthesis.subject import Segmentation, Subject


class NnUNet(CaseLayout):
    """imagesTr/CASE_0000.nii.gz (one file per channel), labelsTr/CASE.nii.gz, dataset.json, as nnU-Net v2 reads them.

    Its labels must be 0, 1, 2, ... without a gap. Where those of the cases are not, they are numbered anew, and
    labels.tsv tells what is what. Of several segmentations it knows one; the others go to labelsTr-2, labelsTr-3, ...
    with their own values.

    Raises:
        VolumeError: a case has no segmentation, segments that overlap, or another number of channels than the others.
    """

    def __init__(self, folder: Path, sources: Sequence[Source]) -> None:
        super().__init__(folder, sources)
        if not all(source.names for source in sources):
            raise VolumeError("nnU-Net needs a segmentation for every case. Give one, or choose another --format.")
        self.require_no_overlap("nnU-Net")
        if len({source.channels for source in sources}) > 1:
            raise VolumeError("nnU-Net needs the same number of channels in every case.")
        named = {name.value: name for source in reversed(sources) for name in source.names[0]}
        self.names = tuple(named[value] for value in sorted(named))

    @property
    def numbers(self) -> dict[int, int]:
        """The values of the cases, and those that nnU-Net gets."""
        return {0: 0, **{name.value: number for number, name in enumerate(self.names, 1)}}

    def write_case(self, name: str, subject: Subject) -> list[str]:
        written = self.write_volumes(
            (f"imagesTr/{name}_{channel:04d}{ENDING}", image) for channel, image in enumerate(subject.images)
        )
        first, *others = subject.segmentations
        written += self.write_volumes([(f"labelsTr/{name}{ENDING}", self._renumbered(first))])
        written += self.write_volumes(
            (f"labelsTr-{number}/{name}{ENDING}", other.volume) for number, other in enumerate(others, 2)
        )
        return written + self.write_points(f"landmarksTr/{name}.csv", subject)

    def finish(self, cases: int) -> None:
        content = {
            "channel_names": {str(channel): f"channel {channel}" for channel in range(self.sources[0].channels)},
            "labels": {"background": 0, **self._unique_names()},
            "numTraining": cases,
            "file_ending": ENDING,
        }
        self.write_json("dataset.json", content)
        numbers = self.numbers
        write_label_names(self.path("labels.tsv"), [LabelName(numbers[n.value], n.name, n.color) for n in self.names])
        self.write_json("label_values.json", {str(number): value for value, number in numbers.items()})

    def _unique_names(self) -> dict[str, int]:
        result: dict[str, int] = {}
        for name in self.names:
            text = name.name if name.name not in (*result, "background", "ignore") else f"{name.name} ({name.value})"
            result[text] = self.numbers[name.value]
        return result

    def _renumbered(self, segmentation: Segmentation) -> Volume:
        numbers, volume = self.numbers, segmentation.volume
        if all(value == number for value, number in numbers.items()):
            return volume
        present, codes = np.unique(volume.values, return_inverse=True)
        kind = np.uint8 if len(numbers) <= 256 else np.int32
        table = np.array([numbers[int(value)] for value in present], kind)
        return Volume(table[codes].reshape(volume.values.shape), volume.grid)
