"""What the labels of a segmentation are called and how they are colored, as Slicer, BIDS and nnU-Net write it."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from DiffusionCore.checks import StorageError
from DiffusionCore.storage.files import replacing, suffix_of

_COLUMNS = ("index", "name", "color")


@dataclass(frozen=True)
class LabelName:
    """A label ``value``, its ``name``, and its ``color`` as #RRGGBB; empty if it has none."""

    value: int
    name: str
    color: str = ""


def read_label_names(segmentation: Path, layer: int = 0) -> tuple[LabelName, ...]:
    """Return the names that come with the file ``segmentation``, sorted by value; empty if there are none.

    Of a file with several layers, those of ``layer``.

    From the first of these that is there: the header of a segmentation of 3D Slicer (.seg.nrrd); a table of BIDS
    beside it (NAME.tsv, or dseg.tsv, with the columns index, name and perhaps color); the dataset.json of nnU-Net, one
    folder above.

    Raises:
        StorageError: a table is there, but cannot be understood.
    """
    stem = segmentation.name.removesuffix(suffix_of(segmentation))
    for table in (segmentation.with_name(f"{stem}.tsv"), segmentation.with_name("dseg.tsv")):
        if table.is_file():
            return _from_table(table)
    if segmentation.name.endswith(".seg.nrrd"):
        return _from_header(segmentation, layer)
    dataset = segmentation.parent.parent / "dataset.json"
    return _from_dataset(dataset) if dataset.is_file() else ()


def write_label_names(path: Path, names: Iterable[LabelName]) -> None:
    """Write a table of BIDS (.tsv: index, name, color)."""
    rows = [_COLUMNS, *((str(each.value), each.name, each.color or "n/a") for each in names)]
    with replacing(path) as unfinished:
        unfinished.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")


def completed(names: Iterable[LabelName], values: Iterable[int]) -> tuple[LabelName, ...]:
    """Return ``names`` with one made up for every one of ``values`` but 0 that has none, sorted by value."""
    known = {each.value: each for each in names if each.value != 0}
    missing = {value: LabelName(value, f"label {value}") for value in values if value != 0 and value not in known}
    return tuple(sorted({**missing, **known}.values(), key=lambda each: each.value))


def _from_table(path: Path) -> tuple[LabelName, ...]:
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines, delimiter="\t"))
        named = [LabelName(int(row["index"]), row["name"], _hexadecimal(row.get("color") or "")) for row in rows]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise StorageError(
            f"The names of the labels '{path}' cannot be read; a table with tabs and the columns index and name is "
            "needed. Correct it, or take it away."
        ) from error
    return completed(named, ())


def _from_header(path: Path, layer: int) -> tuple[LabelName, ...]:
    import SimpleITK as sitk  # a process that only shows labels does not need it

    from DiffusionCore.storage.itk import quiet

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO("NrrdImageIO")
    try:
        with quiet():
            reader.ReadImageInformation()
    except RuntimeError:  # whoever reads the voxels says what is wrong
        return ()
    header = {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys()}
    named = []
    for key, name in header.items():
        if match := re.fullmatch(r"(Segment\d+)_Name", key):
            value = header.get(f"{match[1]}_LabelValue", "")
            if value.strip().isdecimal() and int(header.get(f"{match[1]}_Layer") or 0) == layer:
                named.append(LabelName(int(value), name, _of_shares(header.get(f"{match[1]}_Color", ""))))
    return completed(named, ())


def _from_dataset(path: Path) -> tuple[LabelName, ...]:
    try:
        labels = json.loads(path.read_text(encoding="utf-8"))["labels"]
        return completed([LabelName(value, name) for name, value in labels.items() if isinstance(value, int)], ())
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise StorageError(f"'{path}' is no dataset.json of nnU-Net: it needs labels: names with values.") from error


def _hexadecimal(text: str) -> str:
    return text if re.fullmatch("#[0-9A-Fa-f]{6}", text) else ""


def shares_of(color: str) -> str:
    """Return a color #RRGGBB as three shares in 0..1."""
    return " ".join(f"{int(color[at : at + 2], 16) / 255:.6g}" for at in (1, 3, 5))


def _of_shares(text: str) -> str:
    """Return a color given by three shares in 0..1 as #RRGGBB."""
    try:
        red, green, blue = (round(255 * float(share)) for share in text.split())
    except ValueError:
        return ""
    return f"#{red:02X}{green:02X}{blue:02X}"
