"""The section Training: start, follow, stop and resume a training, and put its model among the presets."""

from pathlib import Path

import ctk
import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from .Choices import Choice
from .FollowedTraining import FollowedTraining
from .Presets import modelPresets
from .States import Icon
from .Texts import QuietTexts, showIcon
from .TrainingCurve import TrainingCurve
from .TrainingModelsTable import TrainingModelsTable
from .TrainingRecipes import recipes
from .TrainingStates import trainingAppearance, trainingProblem

_FORM = Path(__file__).resolve().parent.parent / "Resources" / "UI" / "SpatialDiffusionTraining.ui"
_POLL_MS = 500
_CURVE_PIXELS = 180
_FIELDS = ("trainingRecipe", "trainingFolder", "trainingName", "trainingDevice", "trainingLogAxis")


class TrainingSection(VTKObservationMixin):
    """Follows the training in the folder that the parameters name; it runs on when the section is gone.

    Args:
        container: an empty widget, which is filled.
        panel: the panel that it belongs to. It calls ``bind`` when its parameters are others, and ``cleanup`` at the
            end; its ``listPresets`` is called when there are new models.
    """

    def __init__(self, container, panel) -> None:
        VTKObservationMixin.__init__(self)
        self._panel = panel
        self._parameters = None
        self._values = None  # of the parameters named _FIELDS, when they were last shown
        self._connection = None
        self._training = FollowedTraining(self._onInstalling)
        self._curve = None
        self._updating = False
        self._buildForm(container)
        self._timer = qt.QTimer(container)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._onTimer)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self._onStartClose)
        self.bind(panel.parameters)

    @property
    def run(self):
        """The training that is followed (DiffusionCore.jobs.training.TrainingRun); None if there is none."""
        return self._training.run

    @property
    def running(self) -> bool:
        """Whether a training runs."""
        return self._training.running

    def bind(self, parameters) -> None:
        """Show ``parameters``, a wrapped parameter node, and the training that they name; None lets go of them."""
        if self._parameters is not None:
            self._parameters.disconnectGui(self._connection)
            self.removeObserver(self._parameters, vtk.vtkCommand.ModifiedEvent, self._onParameters)
        self._parameters, self._values = parameters, None
        if parameters is not None:
            self._connection = parameters.connectGui(self._ui)
            self.addObserver(parameters, vtk.vtkCommand.ModifiedEvent, self._onParameters)
            self._onParameters()

    def cleanup(self) -> None:
        """Let go of the scene and of the training, which runs on."""
        self._timer.stop()
        self.bind(None)
        self.removeObservers()
        if self._curve is not None:
            self._curve.remove()

    def _buildForm(self, container) -> None:
        form = slicer.util.loadUI(str(_FORM))
        ui = self._ui = slicer.util.childWidgetVariables(form)
        layout = qt.QVBoxLayout(container)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(form)
        self._recipes = {recipe.key: recipe for recipe in recipes()}
        self._recipe = Choice(ui.trainingRecipeSelector, lambda key: self._set("trainingRecipe", key))
        self._recipe.fill([(recipe.key, recipe.text) for recipe in self._recipes.values()])
        self._device = Choice(ui.trainingDeviceSelector, lambda key: self._set("trainingDevice", key))
        self._device.fill([("auto", _("Automatic")), ("cpu", _("CPU")), ("cuda", _("CUDA GPU"))])
        self._models = TrainingModelsTable(ui, self._onUse)
        ui.trainingFolderEdit.filters = ctk.ctkPathLineEdit.Dirs | ctk.ctkPathLineEdit.Writable
        self._quiet = QuietTexts(form, [ui.trainingRecipeLabel])
        ui.trainingStartButton.clicked.connect(self._onStart)
        ui.trainingResumeButton.clicked.connect(self._onResume)
        ui.trainingOpenButton.clicked.connect(self._onOpen)

    @property
    def _folder(self):
        """The folder of all trainings; None where the parameters name none."""
        chosen = self._parameters
        return chosen.trainingFolder if chosen is not None and chosen.trainingFolder.is_absolute() else None

    @property
    def _place(self):
        """The folder of the training that the parameters name; None where they name none."""
        from DiffusionCore.models import is_model_name

        named = self._folder is not None and is_model_name(self._parameters.trainingName)
        return self._folder / self._parameters.trainingName if named else None

    def _onParameters(self, *_arguments) -> None:
        if self._parameters is None or self._updating:
            return
        values = [self._parameters.getValue(name) for name in _FIELDS]
        if values == self._values:
            return
        self._values = values
        self._updating = True
        try:
            if self.running:
                self._showRunInParameters()
            elif self.run is None or self.run.folder != self._place:
                self._training.find(self._place)
                self._models.refresh()
            self._showChoices()
        finally:
            self._updating = False
        self._update()

    def _showRunInParameters(self) -> None:
        """Keep the parameters those of the run under way, whatever scene was closed or loaded meanwhile."""
        chosen, folder, record = self._parameters, self.run.folder, self.run.record
        wanted = {"trainingFolder": folder.parent, "trainingName": folder.name}
        if record is not None:
            wanted["trainingRecipe"] = record.recipe
        for name, value in wanted.items():
            if getattr(chosen, name) != value:
                setattr(chosen, name, value)

    def _showChoices(self) -> None:
        """Let the two lists, which the wrapper of the parameters cannot bind, show the parameters."""
        chosen = self._parameters
        for choice, key in ((self._recipe, chosen.trainingRecipe), (self._device, chosen.trainingDevice)):
            choice.show(key)
        recipe = self._recipes.get(chosen.trainingRecipe)
        self._ui.trainingRecipeLabel.setText("" if recipe is None else recipe.description)

    def _set(self, name, value) -> None:
        if self._parameters is not None:
            setattr(self._parameters, name, value)

    def _problem(self) -> str:
        chosen = self._parameters
        if chosen is None:
            return ""
        return trainingProblem(chosen, self._place, self.run, self._recipes, self._models.shipped)

    def _update(self) -> None:
        """Show what is."""
        self._models.follow(self._folder, self.run)
        shown, ui = trainingAppearance(self._training.facts(self._problem())), self._ui
        ui.trainingStartButton.setText(shown.button)
        ui.trainingStartButton.setEnabled(shown.buttonEnabled)
        ui.trainingStartButton.setToolTip(shown.buttonTip)
        if shown.resume:
            ui.trainingResumeButton.setText(shown.resume)
        ui.trainingResumeButton.setVisible(bool(shown.resume))
        ui.trainingInputs.setEnabled(shown.inputs)
        ui.trainingBar.setVisible(shown.bar is not None)
        if shown.bar is not None:
            ui.trainingBar.setMaximum(shown.bar[1])
            ui.trainingBar.setValue(shown.bar[0])
        ui.trainingStatusLabel.setText(shown.status)
        showIcon(ui.trainingIcon, Icon.ERROR if shown.failed else Icon.NONE)
        self._showCurve()
        if self.running and not self._timer.active:
            self._timer.start()
        elif not self.running:
            self._timer.stop()

    def _showCurve(self) -> None:
        losses = [] if self.run is None else self.run.losses
        self._ui.trainingCurveBody.setVisible(bool(losses))
        if not losses:
            return
        if self._curve is None:
            self._curve = TrainingCurve()
            self._curve.view.setFixedHeight(_CURVE_PIXELS)
            self._curve.view.setToolTip(
                _("The loss against the steps: thin in training, thick in checks on images that it never sees.")
            )
            self._ui.trainingCurveBody.layout().insertWidget(0, self._curve.view)
        logarithmic = self._parameters is not None and self._parameters.trainingLogAxis
        self._curve.show(losses, self.run.checks, logarithmic=logarithmic)

    def _onTimer(self) -> None:
        self._training.poll()
        self._update()

    def _onStart(self, *_arguments) -> None:
        if self.running:
            self._training.stop()
        else:
            self._training.start(self._parameters, self._place)
        self._update()

    def _onResume(self, *_arguments) -> None:
        self._training.resume(self._parameters)
        self._update()

    def _onInstalling(self) -> None:
        self._update()
        slicer.app.processEvents()

    def _onUse(self, row) -> None:
        self._training.attempt(lambda: self._use(row))
        self._models.refresh()
        self._update()

    def _use(self, row) -> None:
        if row.inUse or self._models.install(row):
            self._offer(row.name)

    def _offer(self, name) -> None:
        """Put the model among the presets, and choose it unless a registration is under way."""
        from DiffusionCore.models import list_models

        self._panel.listPresets()
        keys = {preset.text: preset.key for preset in modelPresets(list_models())}
        if name in keys and not self._panel.running:
            self._set("preset", keys[name])

    def _onOpen(self, *_arguments) -> None:
        folder = self.run.folder if self.run is not None else self._folder
        if folder is not None and folder.is_dir():
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(folder)))
        else:
            self._training.failure = _("There is no output folder yet. It is made when a training starts.")
            self._update()

    def _onStartClose(self, *_arguments) -> None:
        self.bind(None)
        if self._curve is not None:
            self._curve.remove()
