"""What a folder or a list of training images seems to hold, by names alone: nothing is read, no torch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from slicer.i18n import tr as _

from DiffusionCore.storage.files import suffix_of

SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")  # those of storage.volumes, which needs nibabel
LABELS = "_seg"  # that of training.cases, which needs nibabel, too
LISTS = (".csv", ".json")  # as well
_MOST = 5000  # files that are looked at; the panel must not be felt to wait
_TOLD = 3  # problems


@dataclass(frozen=True)
class DataFolder:
    """What the panel says of a folder, and whether there is an image in it."""

    text: str
    usable: bool = False

    @classmethod
    def look(cls, folder: Path) -> DataFolder:
        """Return what ``folder``, or a list of images, holds; ``Path()`` is none."""
        if folder == Path():
            return cls(_("NAME.nii.gz (or .nrrd, .mha), with labels in NAME_seg.nii.gz where there are any."))
        if folder.is_file() and suffix_of(folder) in LISTS:
            return cls(_("A list of volumes. Press Check to see what is in it."), usable=True)
        if not folder.is_dir():
            return cls(_("There is no folder '{folder}'.").format(folder=folder))
        paths = [path for path in islice(_files(folder), _MOST) if suffix_of(path) in SUFFIXES]
        names = {str(path)[: -len(suffix_of(path))] for path in paths if not path.name.startswith(".")}
        images = {name for name in names if not name.endswith(LABELS)}
        labels = {name.removesuffix(LABELS) for name in names - images}
        if not images:
            text = _("No volumes in this folder (looked for {endings}).")
            return cls(text.format(endings=", ".join(SUFFIXES)))
        said = [_("{count} volumes, {labeled} with labels.").format(count=len(images), labeled=len(labels & images))]
        for name in sorted(labels - images)[:_TOLD]:
            text = _("'{name}' holds the labels of a volume that is not there.")
            said.append(text.format(name=f"{Path(name).name}{LABELS}"))
        return cls(" ".join(said), usable=True)


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files at any depth below ``folder``; a folder that may not be read is left out."""
    for place, _folders, names in os.walk(folder):
        yield from (Path(place, name) for name in names)
