"""The form of the panel: its sections, and how they come to show what holds."""

from abc import abstractmethod

import qt
import slicer
from slicer.i18n import tr as _

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.jobs.spare_device import device_beside_trainings
from DiffusionCore.models import list_models
from DiffusionCore.mrml.checks import findings
from DiffusionCore.mrml.panels.choices import Choice
from DiffusionCore.mrml.panels.lines import QuietTexts, StatusLine, align_labels, let_shrink
from DiffusionCore.mrml.panels.log_section import LogSection
from DiffusionCore.mrml.panels.note_row import NoteRow
from DiffusionCore.mrml.panels.notes import Notes
from DiffusionCore.mrml.panels.packages import Packages
from DiffusionCore.mrml.panels.running import RunningPanel
from DiffusionCore.mrml.panels.training.recipes import purpose_of
from DiffusionCore.mrml.panels.training.registration_recipes import registration_recipes
from DiffusionCore.mrml.panels.training.section import TrainingSection

from . import Presets, Views
from .AdvancedSection import RESTORED, AdvancedSection
from .Looks import TOGGLES, Looks
from .Notes import heldGpuNote, seeNote
from .Requests import requestOf
from .ResultSection import ResultSection
from .States import Link, appearance
from .SteerSection import SteerSection
from .StepsSection import StepsSection


class RegistrationForm(RunningPanel):
    """Builds the sections, and shows in all of them what the parameters, the scene and the ``facts`` say."""

    def __init__(self, module):
        self._problem, self._device = "", "auto"
        super().__init__(module, "SpatialDiffusion")

    @abstractmethod
    def facts(self, problem):
        """Return the facts (States.py) that hold now; ``problem`` is why nothing can be started."""

    @abstractmethod
    def noteAfterRun(self):
        """Return what helps after the run that has just failed (NoteRow.Note), or None."""

    def build(self):
        super().build()
        ui = self.ui
        self._status = StatusLine(ui.statusLabel, ui.statusIcon, self._onLink)
        self._steps = StepsSection(ui, self._refreshIdle)
        self._result = ResultSection(ui, self._sayOnce)
        self._log = LogSection(ui)
        self._looks = Looks(ui)
        self._packages = Packages(self.name, _("Registration needs {packages}."), self._onPackages)
        self._note, self._notes = NoteRow(ui), Notes(self._packages, seeNote(), self.refresh)
        self._presets = Choice(ui.presetSelector, lambda key: self.set_value("preset", key))
        onDevice, onDetail = (lambda key, name=name: self.set_value(name, key) for name in ("device", "detail"))
        self._advanced = AdvancedSection(ui, onDevice, onDetail, self._packages.install, self._restore)
        self.listPresets()
        self._steer = SteerSection(ui, lambda name: self.set_value("targetSegment", name))
        explaining = (
            ui.presetDescription,
            ui.steerLabel,
            ui.stepsEmptyLabel,
            ui.resultEmptyLabel,
            ui.stepLabel,
            ui.packagesLabel,
        )
        self._quiet = QuietTexts(self.form, explaining)
        names = ("fixedVolume", "movingVolume", "preset", "outputTransform", "outputVolume")
        align_labels([getattr(ui, f"{name}SelectorLabel") for name in names])
        self.fitButtons()
        self._training = TrainingSection(ui.trainingContainer, self, registration_recipes())
        last = ui.trainingContainer.findChild(qt.QPlainTextEdit, "trainingCardText")
        for widget in (ui.logText, ui.copyLogButton):  # the training came into the form after them
            qt.QWidget.setTabOrder(last, widget)
            last = widget
        for selector in (ui.fixedVolumeSelector, ui.movingVolumeSelector):
            selector.connect("nodeActivated(vtkMRMLNode*)", self._onVolumePicked)
        scene = slicer.mrmlScene
        for event in (scene.NodeAddedEvent, scene.NodeRemovedEvent):
            self.addObserver(scene, event, self._onNodes)

    def fitButtons(self):
        """Let the rows of buttons be as narrow as their texts allow."""
        let_shrink([self.ui.liveButton, *(getattr(self.ui, f"{name}Button") for name in TOGGLES)])

    def listPresets(self):
        """Offer the built-in presets and, below a line, the models that are installed now."""
        builtIn = Presets.builtInPresets()
        self._known = {preset.key: preset for preset in (*builtIn, *Presets.modelPresets(list_models()))}
        items = [(preset.key, preset.text) for preset in self._known.values()]
        self._presets.fill(items, separator_after=len(builtIn))
        if self.parameters is not None:
            self.refresh()

    def models_changed(self):
        """Offer the models that there are now."""
        self.listPresets()

    def training_changed(self):
        """Say how far the training is, also while its section is folded."""
        self.ui.trainingSection.text = self._training.title
        self.refresh()

    def use_model(self, name, kind):
        """Choose the preset of the model ``name`` unless a registration is under way; return what there is to be said.

        Raises:
            DiffusionCoreError: a model of this ``kind`` registers nothing.
        """
        key = Presets.keyOf(name)
        if key not in self._known:
            text = _("Model '{name}' was made for another purpose than registration: {purpose}.")
            raise DiffusionCoreError(text.format(name=name, purpose=purpose_of(kind)))
        if self.running:
            return _("'{name}' is among the presets; it can be chosen after this registration.").format(name=name)
        self.set_value("preset", key)
        return _("'{name}' is the preset that is chosen now.").format(name=name)

    def show_all(self):
        chosen, run = self.parameters, self.logic.run
        self._steps.follow(chosen.outputTransform)
        self._result.follow(chosen.outputTransform)
        self._log.follow(run)
        self._looks.follow(chosen)
        preset = self._preset()
        self._steer.follow(chosen, preset, self.logic.running)
        if not self._presets.show(chosen.preset):
            self.ui.presetSelector.setCurrentIndex(-1)
        self._advanced.devices.show(chosen.device)
        self._advanced.details.show(chosen.detail)
        self.ui.presetDescription.setText(preset.description)
        if not self.logic.running:
            self._device = device_beside_trainings(chosen.device, chosen.trainingFolder)
            self._note.show(self._noteNow(preset))
        self._present(appearance(self.facts(self._problem)))

    def _noteNow(self, preset):
        """Return the note that matters most, and keep why nothing can be started."""
        note, self._problem = self._notes.about(findings(requestOf(self.parameters, preset, self._device)))
        if note is None and preset.key not in self._known:
            note, self._problem = Presets.missingNote(preset, self.set_value), seeNote()
        if note is None and self._device == "cpu" and self.parameters.device == "auto":
            note = heldGpuNote()
        return note or self.noteAfterRun()

    def _present(self, look):
        ui = self.ui
        ui.registerButton.setText(look.button)
        ui.registerButton.setEnabled(look.buttonEnabled)
        ui.registerButton.setToolTip(look.buttonTip)
        ui.undoButton.setEnabled(look.undo)
        ui.resumeButton.setEnabled(look.resume)
        ui.resumeButton.setText(look.resumeText)
        for section in (ui.inputsSection, ui.outputsSection, ui.advancedSection):
            section.setEnabled(look.inputs)
        self._note.set_button_enabled(look.inputs)
        ui.branchSelector.setEnabled(look.inputs)
        ui.installButton.setEnabled(bool(self._packages.missing))
        ui.liveButton.setEnabled(self.logic.running)
        ui.progressBar.setVisible(look.bar is not None)
        if look.bar is not None:
            ui.progressBar.setMaximum(look.bar[1])
            ui.progressBar.setValue(look.bar[0])
        ui.stepsBody.setVisible(look.steps)
        ui.stepsEmptyLabel.setVisible(not look.steps)
        self._status.show(look.status, look.icon, look.linkText, look.link.value)

    def _preset(self):
        return self._known.get(self.parameters.preset) or Presets.missingPreset(self.parameters.preset)

    def _restore(self, *_arguments):
        self.restore(RESTORED)

    def _onPackages(self):
        self._advanced.listPackages()
        self.refresh()

    def _sayOnce(self, text):
        self._status.show(text)

    def _refreshIdle(self):
        """Follow the user through the steps; during a run the timer does."""
        if not self.logic.running:
            self.refresh()

    def _onNodes(self, *_arguments):
        if not self.logic.running and not slicer.mrmlScene.IsBatchProcessing():
            self.refresh()

    def _onVolumePicked(self, _node):
        """Show the pair that the user has picked; never one that came with a scene."""
        chosen = self.parameters
        if chosen is None or self.logic.running or chosen.fixedVolume is None or chosen.movingVolume is None:
            return
        if chosen.fixedVolume is not chosen.movingVolume:
            Views.showPair(chosen.fixedVolume, chosen.movingVolume, chosen.fade)
            self._looks.forget()
            self.refresh()

    def _onLink(self, address):
        match Link(address):
            case Link.SAMPLE:
                slicer.util.selectModule("SampleData")
            case Link.LAST_STEP:
                self._steps.goToLast()
            case Link.DETAILS:
                self._log.open()
