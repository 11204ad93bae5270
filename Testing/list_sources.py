"""Keep the file lists in the CMakeLists.txt files true to what is on disk.

    python3 Testing/list_sources.py            writes the lists
    python3 Testing/list_sources.py --check    says what is missing or too much, and exits with 1 if anything is

A list stands between a line ``# begin <kind>`` and a line ``# end <kind>``.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("DiffusionCore", "SpatialDiffusion", "DeformationSynthesis")
SUFFIXES = {
    "scripts": {".py"},
    "resources": {".ui", ".png", ".svg", ".md", ".json", ".txt", ".safetensors", ".cu", ".cuh"},
}


def files_on_disk(folder: str, kind: str, root: Path = ROOT) -> list[str]:
    """Return the files of ``kind`` below ``folder``, relative to it and sorted."""
    base = root / folder
    found = (p.relative_to(base) for p in base.rglob("*") if p.is_file() and p.suffix in SUFFIXES[kind])
    return sorted(p.as_posix() for p in found if "__pycache__" not in p.parts and p.name != "CMakeLists.txt")


def _list(kind: str) -> re.Pattern[str]:
    return re.compile(rf"( *)# begin {kind}\n(.*?) *# end {kind}\n", re.DOTALL)


def files_listed(folder: str, kind: str, root: Path = ROOT) -> list[str]:
    """Return the files of ``kind`` that the CMakeLists.txt of ``folder`` names."""
    match = _list(kind).search((root / folder / "CMakeLists.txt").read_text(encoding="utf-8"))
    if match is None:
        raise SystemExit(f"{folder}/CMakeLists.txt has no list between '# begin {kind}' and '# end {kind}'.")
    return match.group(2).split()


def refresh(folder: str, root: Path = ROOT) -> None:
    """Write the lists of the CMakeLists.txt of ``folder``."""
    path = root / folder / "CMakeLists.txt"
    text = path.read_text(encoding="utf-8")
    for kind in SUFFIXES:
        names = files_on_disk(folder, kind, root)

        def listed(match: re.Match[str], names: list[str] = names, kind: str = kind) -> str:
            indent = match.group(1)
            return "".join(f"{indent}{line}\n" for line in (f"# begin {kind}", *names, f"# end {kind}"))

        text = _list(kind).sub(listed, text)
    if text != path.read_text(encoding="utf-8"):
        path.write_text(text, encoding="utf-8")


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        raise SystemExit(__doc__)
    differences = []
    for folder in FOLDERS:
        if not arguments:
            refresh(folder)
        for kind in SUFFIXES:
            disk, listed = set(files_on_disk(folder, kind)), set(files_listed(folder, kind))
            differences += [f"{folder}/CMakeLists.txt does not list {name}" for name in sorted(disk - listed)]
            differences += [f"{folder}/CMakeLists.txt lists a missing {name}" for name in sorted(listed - disk)]
    sys.stdout.writelines(f"{line}\n" for line in differences)
    return bool(differences)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
