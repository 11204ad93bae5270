"""The section Result: what was measured, as a table and as a curve over the steps, and the way out of the scene."""

import qt
import slicer
from slicer.i18n import tr as _

from DiffusionCore.mrml.roles import CHART, RESULTS

_FONT_SIZE = 11  # of a plot that is as narrow as the panel
_PLOT_TAG = "SpatialDiffusionMetrics"


class ResultSection:
    """Shows the result that belongs to one output transform."""

    def __init__(self, ui, say) -> None:
        """Take over the widgets of ``ui``; ``say(text)`` is for what the user must hear about a file."""
        self._ui, self._say = ui, say
        self._transform, self._results, self._chart = None, None, None
        self._plot = None
        ui.measuresTable.verticalHeader().hide()
        ui.measuresTable.setEditTriggers(qt.QAbstractItemView.NoEditTriggers)
        ui.measuresTable.horizontalHeader().setSectionResizeMode(qt.QHeaderView.Stretch)
        ui.copyTableButton.clicked.connect(self._onCopy)
        ui.saveTransformButton.clicked.connect(self._onSave)

    def follow(self, transform) -> None:
        """Show what was measured for ``transform``, which may be None; called whenever something may have changed."""
        self._transform = transform
        results, chart = (None if transform is None else transform.GetNodeReference(role) for role in (RESULTS, CHART))
        self._ui.resultBody.setVisible(results is not None)
        self._ui.resultEmptyLabel.setVisible(results is None)
        if results is not self._results:
            self._results = results
            if results is not None:
                results.SetUseColumnTitleAsColumnHeader(True)
            self._ui.measuresTable.setMRMLTableNode(results)
        if results is not None:
            self._fitTable()
        if chart is not self._chart:
            self._chart = chart
            self._showChart()

    def release(self) -> None:
        """Let go of the scene."""
        self.follow(None)

    def remove(self) -> None:
        """Take the view of the plot out of the scene; the panel is about to go."""
        self.release()
        view = None if self._plot is None else self._plot.mrmlPlotViewNode()
        if view is not None:
            self._plot.setMRMLPlotViewNode(None)
            slicer.mrmlScene.RemoveNode(view)

    def _fitTable(self) -> None:
        table = self._ui.measuresTable
        rows = min(max(table.model().rowCount(), 1), 10)
        height = table.horizontalHeader().sizeHint.height() + rows * table.verticalHeader().defaultSectionSize
        table.setFixedHeight(height + 2 * table.frameWidth)

    def _showChart(self) -> None:
        if self._chart is not None and self._plot is None:
            self._plot = self._makePlot()
        self._ui.plotContainer.setVisible(self._chart is not None)
        if self._chart is not None:
            self._chart.SetTitleVisibility(False)
            self._chart.SetLegendFontSize(_FONT_SIZE)
            self._chart.SetAxisTitleFontSize(_FONT_SIZE)
            self._chart.SetAxisLabelFontSize(_FONT_SIZE)
        if self._plot is not None:
            view = self._plot.mrmlPlotViewNode()
            view.SetPlotChartNodeID(None if self._chart is None else self._chart.GetID())

    def _makePlot(self):
        """Return a plot widget in the panel; its view belongs to the module, not to the layout of the application."""
        scene = slicer.mrmlScene
        view = scene.GetSingletonNode(_PLOT_TAG, "vtkMRMLPlotViewNode")
        if view is None:
            view = scene.CreateNodeByClass("vtkMRMLPlotViewNode")
            view.UnRegister(None)
            view.SetSingletonTag(_PLOT_TAG)
            view.SetName(_PLOT_TAG)
            view.SetLayoutName(_PLOT_TAG)
            view.SetAndObserveParentLayoutNodeID(self._transform.GetID())
            view = scene.AddNode(view)
        plot = slicer.qMRMLPlotWidget()
        plot.setMRMLScene(scene)
        plot.setMRMLPlotViewNode(view)
        plot.plotController().hide()
        layout = qt.QVBoxLayout(self._ui.plotContainer)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(plot)
        return plot

    def _onCopy(self, *_arguments) -> None:
        model = self._ui.measuresTable.model()
        rows, columns = range(model.rowCount()), range(model.columnCount())
        lines = ["\t".join(str(model.headerData(column, qt.Qt.Horizontal)) for column in columns)]
        lines += ["\t".join(str(model.data(model.index(row, column))) for column in columns) for row in rows]
        slicer.app.clipboard().setText("\n".join(lines))

    def _onSave(self, *_arguments) -> None:
        dialog = qt.QFileDialog(self._ui.resultSection, _("Save transform"))
        dialog.setAcceptMode(qt.QFileDialog.AcceptSave)
        dialog.setNameFilter(_("Transform (*.h5)"))
        dialog.setDefaultSuffix("h5")
        dialog.selectFile(self._transform.GetName())
        if dialog.exec_():
            self._say(self.save(dialog.selectedFiles()[0]))
        dialog.deleteLater()

    def save(self, path: str) -> str:
        """Write the transform of the step shown to ``path``, for ITK programs; return what came of it."""
        storage = slicer.vtkMRMLTransformStorageNode()
        storage.SetFileName(path)
        if storage.WriteData(self._transform):
            return _("Saved '{path}'.").format(path=path)
        return _("'{path}' could not be written. Is there space, and permission?").format(path=path)
