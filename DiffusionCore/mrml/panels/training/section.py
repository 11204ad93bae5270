"""The section Training: start, follow, stop and resume a training, and put its model among the presets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ctk
import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from DiffusionCore.mrml.panels.lines import Icon, QuietTexts, show_icon
from DiffusionCore.mrml.panels.training.check_pictures import CheckPictures
from DiffusionCore.mrml.panels.training.curve import TrainingCurve
from DiffusionCore.mrml.panels.training.followed import FollowedTraining
from DiffusionCore.mrml.panels.training.inputs import TrainingInputs
from DiffusionCore.mrml.panels.training.models_table import TrainingModelsTable
from DiffusionCore.mrml.panels.training.recipes import Recipe
from DiffusionCore.mrml.panels.training.states import training_appearance, training_problem

_FORM = Path(__file__).resolve().with_name("Training.ui")
_POLL_MS = 500
_FIELDS = (
    "trainingRecipe",
    "trainingData",
    "trainingBegin",
    "trainingFolder",
    "trainingName",
    "trainingDevice",
    "trainingLogAxis",
)


class TrainingSection(VTKObservationMixin):
    """Follows the training in the folder that the parameters name; it runs on when the section is gone.

    Args:
        container: an empty widget, which is filled.
        panel: the panel that it belongs to, of which it needs ``name``, ``parameters``, what the table of models
            calls, and ``training_changed()``, called when ``title`` is another. The panel calls ``bind`` when its
            parameters are others, and ``cleanup`` at the end.
        recipes: what can be trained.

    Attributes:
        title: what the section is called now; it says how far a training is.
    """

    def __init__(self, container: Any, panel: Any, recipes: Sequence[Recipe]) -> None:
        VTKObservationMixin.__init__(self)
        self._panel = panel
        self._parameters = None
        self._values = None  # of the parameters named _FIELDS, when they were last shown
        self._connection = None
        self._training = FollowedTraining(panel.name, self._on_installing)
        self._updating = False
        self.title = _("Training")
        self._build_form(container, recipes)
        self._timer = qt.QTimer(container)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._on_timer)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self._on_start_close)
        self.bind(panel.parameters)

    @property
    def run(self):
        """The training that is followed (DiffusionCore.jobs.training.TrainingRun); None if there is none."""
        return self._training.run

    @property
    def running(self) -> bool:
        """Whether a training runs."""
        return self._training.running

    @property
    def sentence(self) -> str:
        """How far the training is, for a line elsewhere; empty while none runs."""
        return f"{self.title}." if self.running else ""

    def bind(self, parameters) -> None:
        """Show ``parameters``, a wrapped parameter node, and the training that they name; None lets go of them."""
        if self._parameters is not None:
            self._parameters.disconnectGui(self._connection)
            self.removeObserver(self._parameters, vtk.vtkCommand.ModifiedEvent, self._on_parameters)
        self._parameters, self._values = parameters, None
        if parameters is not None:
            self._connection = parameters.connectGui(self._ui)
            self.addObserver(parameters, vtk.vtkCommand.ModifiedEvent, self._on_parameters)
            self._on_parameters()

    def cleanup(self) -> None:
        """Let go of the scene and of the training, which runs on."""
        self._timer.stop()
        self._inputs.check.close()
        self.bind(None)
        self.removeObservers()
        self._curve.remove()

    def _build_form(self, container: Any, recipes: Sequence[Recipe]) -> None:
        form = slicer.util.loadUI(str(_FORM))
        ui = self._ui = slicer.util.childWidgetVariables(form)
        layout = qt.QVBoxLayout(container)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(form)
        self._inputs = TrainingInputs(ui, recipes, self._set, self._update)
        self._curve = TrainingCurve(self._panel.name, ui.trainingCurveBody)
        self._pictures = CheckPictures(ui)
        self._models = TrainingModelsTable(ui, self._on_models, self._panel)
        ui.trainingFolderEdit.filters = ctk.ctkPathLineEdit.Dirs | ctk.ctkPathLineEdit.Writable
        self._quiet = QuietTexts(form, [ui.trainingRecipeLabel, ui.trainingDataLabel])
        ui.trainingStartButton.clicked.connect(self._on_start)
        ui.trainingResumeButton.clicked.connect(self._on_resume)
        ui.trainingOpenButton.clicked.connect(self._on_open)

    @property
    def _folder(self):
        """The folder of all trainings; None where the parameters name none."""
        chosen = self._parameters
        return chosen.trainingFolder if chosen is not None and chosen.trainingFolder.is_absolute() else None

    @property
    def _place(self):
        """The folder of the training that the parameters name; None where they name none."""
        from DiffusionCore.model_files import is_model_name

        named = self._folder is not None and is_model_name(self._parameters.trainingName)
        return self._folder / self._parameters.trainingName if named else None

    def _on_parameters(self, *_arguments: Any) -> None:
        if self._parameters is None or self._updating:
            return
        values = [self._parameters.getValue(name) for name in _FIELDS]
        if values == self._values:
            return
        self._values = values
        self._updating = True
        try:
            if self.running:
                self._show_run_in_parameters()
            elif self.run is None or self.run.folder != self._place:
                self._training.find(self._place)
                self._models.refresh()
                self._models.say("")
            self._inputs.show(self._parameters, self._models.rows)
        finally:
            self._updating = False
        self._update()

    def _show_run_in_parameters(self) -> None:
        """Keep the parameters those of the run under way, whatever scene was closed or loaded meanwhile."""
        chosen, folder, record = self._parameters, self.run.folder, self.run.record
        wanted = {"trainingFolder": folder.parent, "trainingName": folder.name}
        if record is not None:
            wanted["trainingRecipe"] = record.recipe
        for name, value in wanted.items():
            if getattr(chosen, name) != value:
                setattr(chosen, name, value)

    def _set(self, name: str, value: Any) -> None:
        if self._parameters is not None:
            setattr(self._parameters, name, value)

    def _problem(self) -> str:
        chosen = self._parameters
        if chosen is None:
            return ""
        inputs = self._inputs
        return training_problem(chosen, self._place, self.run, inputs.recipe, inputs.data, self._models.shipped)

    def _update(self) -> None:
        """Show what is."""
        if self._models.follow(self._folder, self.run) and self._parameters is not None:
            self._inputs.show_beginnings(self._models.rows)
        shown, ui = training_appearance(self._training.facts(self._problem())), self._ui
        ui.trainingStartButton.setText(shown.button)
        ui.trainingStartButton.setEnabled(shown.button_enabled)
        ui.trainingStartButton.setToolTip(shown.button_tip)
        if shown.resume:
            ui.trainingResumeButton.setText(shown.resume)
        ui.trainingResumeButton.setVisible(bool(shown.resume))
        ui.trainingInputs.setEnabled(shown.inputs)
        ui.trainingBar.setVisible(shown.bar is not None)
        if shown.bar is not None:
            ui.trainingBar.setMaximum(shown.bar[1])
            ui.trainingBar.setValue(shown.bar[0])
        ui.trainingStatusLabel.setText(shown.status)
        show_icon(ui.trainingIcon, Icon.ERROR if shown.failed else Icon.NONE)
        if shown.title != self.title:
            self.title = shown.title
            self._panel.training_changed()
        self._show_curve()
        self._pictures.show(self.run)
        waits = self.running or self._inputs.check.running
        if waits and not self._timer.active:
            self._timer.start()
        elif not waits:
            self._timer.stop()

    def _show_curve(self) -> None:
        losses, checks = ([], []) if self.run is None else (self.run.losses, self.run.checks)
        logarithmic = self._parameters is not None and self._parameters.trainingLogAxis
        self._curve.show(losses, checks, logarithmic=logarithmic)

    def _on_timer(self) -> None:
        ran = self.running
        self._training.poll()
        self._inputs.check.poll()
        self._update()
        if ran and not self.running:
            slicer.util.showStatusMessage(self._ui.trainingStatusLabel.text, 3000)

    def _on_start(self, *_arguments: Any) -> None:
        self._models.say("")
        if self.running:
            self._training.stop()
        else:
            self._training.start(self._inputs.recipe, self._parameters, self._place)
        self._update()

    def _on_resume(self, *_arguments: Any) -> None:
        record = self.run.record
        recipe = None if record is None else self._inputs.recipe_of(record.recipe)
        self._training.resume(recipe, self._parameters)
        if self.running:
            self._show_run_in_parameters()
        self._update()

    def _on_installing(self) -> None:
        self._update()
        slicer.app.processEvents()

    def _on_models(self) -> None:
        """Follow a training no longer that was deleted among the models."""
        self._training.forget_deleted()
        self._update()

    def _on_open(self, *_arguments: Any) -> None:
        folder = self.run.folder if self.run is not None else self._folder
        if folder is not None and folder.is_dir():
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(folder)))
        else:
            self._models.say(_("There is no output folder yet. It is made when a training starts."))

    def _on_start_close(self, *_arguments: Any) -> None:
        self.bind(None)
        self._curve.remove()
