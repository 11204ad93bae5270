"""Open the panel of a module of this repository in a window: the Slicer-API host, without Slicer.

    python Testing/Host --gui [SpatialDiffusion|DeformationSynthesis] [--theme light|dark] [--picture FILE]

With --picture the window is drawn to a file and closed at once.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HOST = Path(__file__).resolve().parent
ROOT = HOST.parent.parent
MODULES = ("SpatialDiffusion", "DeformationSynthesis")


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python Testing/Host", description="The Slicer-API host, in a window.")
    parser.add_argument("--gui", nargs="?", const=MODULES[0], default=MODULES[0], choices=MODULES, help="the module")
    parser.add_argument("--theme", choices=("light", "dark"), default="light", help="the colors")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the window to FILE and end")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    wanted = parse(arguments)
    sys.path[:0] = [str(ROOT), str(HOST)]
    from slicer_api_host.application import start, why_no_display

    if reason := why_no_display():
        print(reason, file=sys.stderr)  # noqa: T201
        return 1
    application = start(home=_home(), testing=False, theme=wanted.theme)
    from PySide6.QtCore import QTimer
    from slicer_api_host.main_window import qSlicerMainWindow
    from slicer_api_host.modules import load_module

    for name in MODULES:
        load_module(ROOT / name / f"{name}.py")
    window = qSlicerMainWindow()
    window.resize(1400, 900)
    window.moduleSelector().selectModule(wanted.gui)
    window.show()
    if wanted.picture is not None:
        QTimer.singleShot(0, lambda: (window.grab().save(str(wanted.picture)), window.close()))
    return application.exec()


def _home() -> Path:
    """Return the folder where the host keeps its settings between two starts."""
    from PySide6.QtCore import QStandardPaths

    place = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericConfigLocation)
    return Path(place) / "slicer-api-host"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
