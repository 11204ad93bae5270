"""How long a new displacement field on a transform node takes to be seen in the slice views of the host.

    python Testing/Benchmarks/view_latency.py

Prints medians of 30 fields: from setting the field on the node, above the moving volume, to the new pixels of three
views of 400 x 400 together, through the event loop; and of that the time the event loop was held up.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Host"))

from PySide6.QtWidgets import QApplication
from slicer_api_host.application import start
from slicer_api_host.views.pictures import grab
from view_data import add_blob, add_transform, grid_transform, waves

REPEATS = 30
WARM_UP = 12  # the first fields take up to twice as long
SIZE = 96


class Watched:
    """The three views, and whether each was drawn since the last `forget`."""

    def __init__(self, manager):
        self.views = [manager.sliceWidget(name).sliceView() for name in ("Red", "Yellow", "Green")]
        self.drawn = set()
        for number, view in enumerate(self.views):
            view.renderWindow().AddObserver("EndEvent", lambda *_, number=number: self.drawn.add(number))

    def forget(self):
        self.drawn.clear()

    def wait(self):
        """Run the event loop until all views are drawn; return the longest time that one turn of it took, s."""
        longest = 0.0
        while len(self.drawn) < len(self.views):
            begun = time.perf_counter()
            QApplication.processEvents()
            longest = max(longest, time.perf_counter() - begun)
        return longest


def measure(watched, transform):
    """Return the medians, in ms, of setting a field, of the way to the pixels with that, of the longest turn."""
    times = []
    for repeat in range(WARM_UP + REPEATS):
        before = grab(watched.views[0])
        field = grid_transform(waves(repeat / 3, SIZE, height=6.0))
        watched.forget()
        begun = time.perf_counter()
        transform.SetAndObserveTransformFromParent(field)
        was_set = time.perf_counter()
        longest = watched.wait()
        times.append((was_set - begun, time.perf_counter() - begun, longest))
        if (grab(watched.views[0]) == before).all():
            raise SystemExit("the picture did not change")
    return [1000 * statistics.median(column) for column in zip(*times[WARM_UP:], strict=True)]


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    import slicer

    manager = start().layoutManager()
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    manager.viewport().resize(801, 848)  # two views of 400 x 400 a row, under their bars
    manager.viewport().show()
    fixed, moving = add_blob("fixed", size=SIZE), add_blob("moving", shift=5, size=SIZE)
    slicer.util.setSliceViewerLayers(background=fixed, foreground=moving, foregroundOpacity=0.5)
    manager.resetSliceViews()
    transform = add_transform(0.0, moving)
    transform.CreateDefaultDisplayNodes()
    display = transform.GetDisplayNode()
    display.SetVisualizationMode(display.VIS_MODE_GRID)
    watched = Watched(manager)
    size = watched.views[0].size
    sys.stdout.write(f"fields of {SIZE}^3, three views of {size.width()} x {size.height()}, medians of {REPEATS}, ms\n")
    sys.stdout.write(f"{'':12}{'set':>8}{'seen':>8}{'held up':>10}\n")
    for name, visible in (("no grid", False), ("grid", True)):
        display.SetVisibility(visible)
        display.SetVisibility2D(visible)
        was_set, seen, longest = measure(watched, transform)
        sys.stdout.write(f"{name:12}{was_set:8.1f}{seen:8.1f}{longest:10.1f}\n")


if __name__ == "__main__":
    main()
