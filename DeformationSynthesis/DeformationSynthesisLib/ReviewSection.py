"""The section Review: browse the variants, look at them in the slice views, and keep or reject them."""

import qt
import slicer
from slicer.i18n import tr as _

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.mrml.texts import core_text
from DiffusionCore.mrml.variant_nodes import VariantNodes
from DiffusionCore.synthesis.stored_case import StoredCase

from . import VariantViews
from .VariantsTable import VariantsTable

_PLAY_MS = 600  # from one variant to the next
TOGGLES = ("original", "grid", "outlines")


class ReviewSection:
    """Shows the variants of a collection, or a preview, one at a time.

    Args:
        ui: of the form.
        onShown: called with the row that is to be shown.
        onVerdict: called with a row and whether it is kept.
        say: called with what the user must know of a variant that cannot be shown.
    """

    def __init__(self, ui, onShown, onVerdict, say) -> None:
        self._ui, self._onShown, self._onVerdict, self._say = ui, onShown, onVerdict, say
        self._nodes = VariantNodes(slicer.mrmlScene)
        self._collection = self._preview = None
        self._listed = self._seen = None
        self._case, self._stages, self._shown = None, 0, 0
        self._table = VariantsTable(ui.variantsTable, onShown, onVerdict)
        self._timer = qt.QTimer(ui.reviewBody)
        self._timer.setInterval(_PLAY_MS)
        self._timer.timeout.connect(self._onNext)
        ui.variantSlider.connect("valueChanged(int)", self._onSlider)
        ui.stageSlider.connect("valueChanged(int)", self._onStage)
        ui.playButton.toggled.connect(self._onPlay)
        ui.keepButton.clicked.connect(lambda *_arguments: self._judge(True))
        ui.rejectButton.clicked.connect(lambda *_arguments: self._judge(False))

    @property
    def nodes(self):
        """The nodes that the views show."""
        return self._nodes

    def follow(self, collection, preview, parameters) -> None:
        """Show what the ``parameters`` ask for, of the ``collection`` or, where that is a file, the ``preview``."""
        ui = self._ui
        self._collection, self._preview = collection, preview
        rows = [] if collection is None else collection.rows
        self._shown = min(parameters.shown, len(rows) - 1)
        something = bool(rows) or preview is not None
        ui.reviewEmptyLabel.setVisible(not something)
        ui.reviewBody.setVisible(something)
        for widget in (ui.variantRow, ui.variantsTable, ui.keepButton, ui.rejectButton, ui.redrawButton, ui.playButton):
            widget.setVisible(bool(rows))
        for button in (ui.keepButton, ui.rejectButton):
            button.setEnabled(preview is None)
        if preview is not None:
            ui.playButton.setChecked(False)
        if rows:
            self._list(rows)
        self._look(parameters, something)

    def forget(self) -> None:
        """Show anew at the next ``follow``."""
        self._listed = self._seen = None

    def release(self) -> None:
        """Let the views have what they had before: the scene is another one, or the module is left."""
        self._timer.stop()
        VariantViews.showHidden()
        self._collection = self._preview = None
        self.forget()

    def _list(self, rows) -> None:
        ui = self._ui
        key = tuple((row.batch, row.record["index"], row.kept) for row in rows)
        if key != self._listed:
            self._listed = key
            self._table.show(rows)
        self._table.select(None if self._preview is not None else self._shown)
        place = self._table.order().index(self._shown) + 1
        wasBlocked = ui.variantSlider.blockSignals(True)
        ui.variantSlider.setRange(1, len(rows))
        ui.variantSlider.setValue(place)
        ui.variantSlider.blockSignals(wasBlocked)
        ui.variantLabel.setText(f"{place}/{len(rows)}" if self._preview is None else _("preview"))

    def _look(self, parameters, something) -> None:
        """Let the views show what is chosen; files are read only when that is something else than before."""
        path = self._path() if something else None
        key = (path, parameters.original)
        if path is not None and key != self._seen:
            self._seen = key
            self._bring(path, parameters)
        stages = self._stages if something and not parameters.original else 0
        self._ui.stageRow.setVisible(stages > 1)
        if something:
            VariantViews.showGrid(self._nodes.deformation, self._nodes.volume, parameters.grid)
            VariantViews.showOutlines(self._nodes.segmentation, parameters.outlines)

    def _bring(self, path, parameters) -> None:
        try:
            case = self._case = StoredCase.read(self._originalPath() if parameters.original else path)
        except DiffusionCoreError as error:
            self._say(core_text(str(error)))
            return
        self._stages = len(case.fields)
        self._nodes.show(case, self._title(case), display=parameters.inputVolume)
        self._showStage(self._stages)
        VariantViews.hideSegmentation(parameters.inputSegmentation)
        VariantViews.showLayers(self._nodes.volume)

    def _path(self):
        return self._preview or self._collection.path_of(self._collection.rows[self._shown])

    def _originalPath(self):
        if self._preview is not None:
            return sorted(self._preview.parent.glob("original-*.npz"))[0]
        return self._collection.original_of(self._collection.rows[self._shown])

    def _title(self, case) -> str:
        if not case.fields:
            return _("{name} original").format(name=case.subject.name)
        if self._preview is not None:
            return _("{name} preview").format(name=case.subject.name)
        number = self._collection.rows[self._shown].record["index"] + 1
        return _("{name} variant {number}").format(name=case.subject.name, number=number)

    def _showStage(self, stage) -> None:
        slider = self._ui.stageSlider
        wasBlocked = slider.blockSignals(True)
        slider.setRange(1, max(self._stages, 1))
        slider.setValue(stage)
        slider.blockSignals(wasBlocked)
        self._ui.stageLabel.setText(f"{stage}/{self._stages}")

    def _onStage(self, stage) -> None:
        title = self._title(self._case)
        try:
            if stage == self._stages:
                self._nodes.show(self._case, title)
            else:
                if not self._nodes.are_deformed:
                    self._nodes.show_through(StoredCase.read(self._originalPath()), title)
                self._nodes.deform(self._case.fields[stage - 1])
        except DiffusionCoreError as error:
            self._say(core_text(str(error)))
        self._showStage(stage)

    def _onSlider(self, value) -> None:
        order = self._table.order()
        if 0 < value <= len(order):
            self._onShown(order[value - 1])

    def _onPlay(self, on) -> None:
        self._ui.playButton.setText(_("Pause") if on else _("Play"))
        if on:
            self._timer.start()
        else:
            self._timer.stop()

    def _onNext(self, *_arguments) -> None:
        slider = self._ui.variantSlider
        slider.setValue(slider.value + 1 if slider.value < slider.maximum else slider.minimum)

    def _judge(self, kept) -> None:
        shown, order = self._shown, self._table.order()
        self._onVerdict(shown, kept)
        following = order.index(shown) + 1
        if following < len(order):
            self._onShown(order[following])
