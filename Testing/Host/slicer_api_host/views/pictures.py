"""What a widget looks like now, as an array: the eyes of the tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget


def grab(widget: QWidget) -> NDArray[np.uint8]:
    """Return (H, W, 3) RGB of ``widget`` with all that is inside; views in it are drawn anew if something has changed.

    It need not be shown: it is laid out as it would be. Of a slice view, these are the pixels of its picture.
    """
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), dtype=np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : image.width() * 3].reshape(image.height(), image.width(), 3).copy()
