"""Photograph the panel in every state and after every error, for the check-list in Documentation/panel-checklist.md.

    python Testing/Panel/take_pictures.py [FOLDER] [first_look|running|after|failure|training ...]

The real panel in the Slicer-API host, driven by mouse clicks, with real worker processes. FOLDER is
Documentation/panel-checklist by default; without names of chapters all are taken, which needs some minutes. No screen
is needed. To hold a run still for its picture, its process is paused, which works on Linux and macOS.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
ROOT = Path(__file__).resolve().parents[2]
os.environ["SPATIALDIFFUSION_MODELS"] = str(ROOT / "no such folder")  # only the models that are shipped
sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "Host"), str(Path(__file__).parent)]

CHAPTERS = ("first_look", "running", "after", "failure", "training")


def main(arguments: list[str]) -> None:
    """Take the pictures of the chapters."""
    from pictures.booth import Booth
    from pictures.gray import gray_sheet

    chapters = [name for name in arguments if name in CHAPTERS] or CHAPTERS
    folder = next((Path(name) for name in arguments if name not in CHAPTERS), ROOT / "Documentation/panel-checklist")
    booth = Booth(folder)
    for chapter in chapters:
        importlib.import_module(f"pictures.{chapter}").take(booth)
        booth.write()
    gray_sheet(folder)
    booth.fresh()
    os._exit(0)  # nothing is left to say; taking down the views of VTK takes its time


if __name__ == "__main__":
    main(sys.argv[1:])
