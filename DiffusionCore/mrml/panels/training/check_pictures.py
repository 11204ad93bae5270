"""The pictures that a training drew at its checks, one above a slider through its steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from DiffusionCore.training.folder import pictures_in

_MOST = 320  # pixels of height


class CheckPictures(qt.QObject):
    """Shows the picture of a check; the newest one, until the user has gone back to another.

    Args:
        ui: has trainingPicturesBody, trainingPictureLabel, trainingPictureSlider and trainingPictureStepLabel.
    """

    def __init__(self, ui: Any) -> None:
        super().__init__(ui.trainingPictureLabel)
        self._body, self._label = ui.trainingPicturesBody, ui.trainingPictureLabel
        self._slider, self._step = ui.trainingPictureSlider, ui.trainingPictureStepLabel
        self._pictures: list[tuple[int, Path]] = []
        self._followed: tuple[Any, ...] = ()
        self._shown: tuple[Any, ...] = ()
        self._slider.connect("valueChanged(double)", self._on_slider)
        self._label.installEventFilter(self)

    def show(self, run: Any) -> None:
        """Offer the pictures of the training ``run``, None for none; its folder is looked through once a check."""
        followed = () if run is None else (run.folder, run.checks)
        if followed == self._followed:
            return
        self._followed = followed
        pictures = [] if run is None else pictures_in(run.folder)
        if pictures != self._pictures:
            was_last = not self._pictures or self._number() == len(self._pictures) - 1
            same = bool(pictures and self._pictures) and pictures[0] == self._pictures[0]
            number = self._number() if same and not was_last else len(pictures) - 1
            self._pictures = pictures
            was_blocked = self._slider.blockSignals(True)
            self._slider.maximum = max(len(pictures) - 1, 0)
            self._slider.value = max(number, 0)
            self._slider.blockSignals(was_blocked)
            self._slider.setEnabled(len(pictures) > 1)
        self._body.setVisible(bool(pictures))
        self._draw()

    def eventFilter(self, _watched: Any, event: Any) -> bool:  # noqa: N802
        """Fit the picture to the width of the panel; open it in its own size at a double click."""
        if event.type() == qt.QEvent.Resize:
            self._draw()
        elif event.type() == qt.QEvent.MouseButtonDblClick:
            _step, path = self._pictures[self._number()]
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(path)))
        return False

    def _number(self) -> int:
        return round(self._slider.value)

    def _on_slider(self, _value: float) -> None:
        self._draw()

    def _draw(self) -> None:
        if not self._pictures:
            return
        step, path = self._pictures[self._number()]
        state = (path, self._label.width)
        if state == self._shown:
            return
        self._shown = state
        text = _("Check at step {step} ({number} of {of})")
        self._step.setText(text.format(step=step, number=self._number() + 1, of=len(self._pictures)))
        picture = qt.QPixmap(str(path))
        if picture.width() > self._label.width or picture.height() > _MOST:
            room = qt.QSize(self._label.width, _MOST)
            picture = picture.scaled(room, qt.Qt.KeepAspectRatio, qt.Qt.SmoothTransformation)
        self._label.setMinimumWidth(1)  # or a wide picture would keep the panel wide
        self._label.setPixmap(picture)
