"""The form of the panel: its sections, and how they come to show what holds."""

from abc import abstractmethod

import ctk
import qt
import slicer
from slicer.i18n import tr as _

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.models import list_models
from DiffusionCore.mrml.panels.choices import Choice
from DiffusionCore.mrml.panels.lines import QuietTexts, StatusLine, align_labels, let_shrink
from DiffusionCore.mrml.panels.log_section import LogSection
from DiffusionCore.mrml.panels.note_row import NoteRow
from DiffusionCore.mrml.panels.notes import Notes
from DiffusionCore.mrml.panels.packages import Packages
from DiffusionCore.mrml.panels.running import RunningPanel
from DiffusionCore.mrml.panels.training.recipes import purpose_of
from DiffusionCore.mrml.panels.training.section import TrainingSection
from DiffusionCore.mrml.panels.training.synthesis_recipes import synthesis_recipes
from DiffusionCore.mrml.synthesis_request import case_count, synthesis_findings
from DiffusionCore.mrml.texts import core_text

from .AdvancedSection import RESTORED, AdvancedSection
from .ExportSection import ExportSection
from .Methods import keysOf, methods, missingMethod
from .Requests import requestOf
from .ReviewSection import TOGGLES, ReviewSection
from .States import appearance
from .Words import strengthText

_ALIGNED = ("volumeSelector", "segmentationSelector", "folderEdit", "methodSelector", "countSpinBox", "strengthSlider")


class SynthesisForm(RunningPanel):
    """Builds the sections, and shows in all of them what the parameters, the scene and the ``facts`` say."""

    def __init__(self, module):
        self._problem = ""
        super().__init__(module, "DeformationSynthesis")

    @abstractmethod
    def facts(self, problem):
        """Return the facts (States.py) that hold now; ``problem`` is why nothing can be started."""

    @abstractmethod
    def onLink(self, address):
        """Follow the link in the status line."""

    def build(self):
        super().build()
        ui = self.ui
        self._status = StatusLine(ui.statusLabel, ui.statusIcon, self.onLink)
        self._packages = Packages(self.name, _("Making variants needs {packages}."), self._onPackages)
        self._note = NoteRow(ui)
        self._notes = Notes(self._packages, _("No variant can be made yet: see the note above."), self.refresh)
        self._methods = Choice(ui.methodSelector, lambda key: self.set_value("method", key))
        self._review = ReviewSection(ui, self._onShown, self._onVerdict, self._status.show)
        self._export = ExportSection(ui, lambda key: self.set_value("exportFormat", key))
        onSymmetry, onInstall = (lambda key: self.set_value("symmetry", key)), self._packages.install
        self._advanced = AdvancedSection(ui, onSymmetry, onInstall, lambda *_arguments: self.restore(RESTORED))
        self._log = LogSection(ui)
        self._training = TrainingSection(ui.trainingContainer, self, synthesis_recipes())
        self._listMethods()
        ui.folderEdit.filters = ctk.ctkPathLineEdit.Dirs | ctk.ctkPathLineEdit.Readable
        ui.sceneRadioButton.clicked.connect(lambda *_arguments: self.set_value("source", "scene"))
        ui.folderRadioButton.clicked.connect(lambda *_arguments: self.set_value("source", "folder"))
        explaining = ("cases", "method", "strength", "reviewEmpty", "verdict", "export", "packages")
        names = {"method": "methodDescription"}
        self._quiet = QuietTexts(self.form, [getattr(ui, names.get(name, f"{name}Label")) for name in explaining])
        align_labels([ui.sourceLabel, *(getattr(ui, f"{name}Label") for name in _ALIGNED)])
        let_shrink([ui.playButton, ui.keepButton, ui.rejectButton, *(getattr(ui, f"{name}Button") for name in TOGGLES)])
        last = ui.trainingContainer.findChild(qt.QPlainTextEdit, "trainingCardText")
        for widget in (ui.logText, ui.copyLogButton):  # the training came into the form after them
            qt.QWidget.setTabOrder(last, widget)
            last = widget
        for selector in (ui.volumeSelector, ui.segmentationSelector):
            selector.connect("nodeActivated(vtkMRMLNode*)", lambda *_arguments: self.refresh())
        scene = slicer.mrmlScene
        for event in (scene.NodeAddedEvent, scene.NodeRemovedEvent):
            self.addObserver(scene, event, self._onNodes)

    def models_changed(self):
        """Offer the models that there are now."""
        self._listMethods()

    def training_changed(self):
        """Say how far the training is, also while its section is folded."""
        self.ui.trainingSection.text = self._training.title
        self.refresh()

    def use_model(self, name, kind):
        """Choose a method by the model ``name`` unless something is under way; return what there is to be said.

        Raises:
            DiffusionCoreError: a model of this ``kind`` makes no variants.
        """
        keys = keysOf(name, kind)
        if not keys:
            text = _("Model '{name}' was made for another purpose than variants: {purpose}.")
            raise DiffusionCoreError(text.format(name=name, purpose=purpose_of(kind)))
        if self.running:
            return _("'{name}' is among the methods; it can be chosen after this run.").format(name=name)
        self.set_value("method", keys[-1])
        return _("'{method}' is the method that is chosen now.").format(method=self._known[keys[-1]].text)

    def refresh(self):
        if not slicer.mrmlScene.IsBatchProcessing():  # half a scene has not all of the nodes that are shown
            super().refresh()

    def show_all(self):
        chosen, ui = self.parameters, self.ui
        inFolder, method = chosen.source == "folder", self.method()
        ui.folderRadioButton.setChecked(inFolder)
        ui.sceneRadioButton.setChecked(not inFolder)
        for widget in (ui.folderEdit, ui.folderEditLabel, ui.casesLabel):
            widget.setVisible(inFolder)
        for name in ("volumeSelector", "segmentationSelector"):
            getattr(ui, name).setVisible(not inFolder)
            getattr(ui, f"{name}Label").setVisible(not inFolder)
        if inFolder:
            ui.casesLabel.setText(self._casesText())
        if not self._methods.show(chosen.method):
            ui.methodSelector.setCurrentIndex(-1)
        ui.methodDescription.setText(method.description)
        ui.strengthSlider.setEnabled(method.deforms)
        ui.strengthLabel.setText(strengthText(chosen, method))
        self._advanced.symmetry.show(chosen.symmetry)
        self._log.follow(self.logic.run)
        self._export.follow(chosen)
        if not self.logic.running:
            note, self._problem = self._notes.about(synthesis_findings(requestOf(chosen, method)))
            if note is None and method.key not in self._known:
                self._problem = method.description
            self._note.show(note)
        self._review.follow(self.logic.collection, self.logic.preview, chosen)
        self._present(appearance(self.facts(self._problem)))

    def method(self):
        """Return the method that is chosen."""
        return self._known.get(self.parameters.method) or missingMethod(self.parameters.method)

    def _listMethods(self):
        self._known = {method.key: method for method in methods(list_models())}
        self._methods.fill([(method.key, method.text) for method in self._known.values()], separator_after=1)
        self.refresh()

    def _present(self, look):
        ui = self.ui
        ui.generateButton.setText(look.generate)
        ui.generateButton.setEnabled(look.generateEnabled)
        ui.generateButton.setToolTip(look.generateTip)
        ui.previewButton.setEnabled(look.preview)
        for section in (ui.inputsSection, ui.variantsSection, ui.advancedSection, ui.exportForm):
            section.setEnabled(look.inputs)
        self._note.set_button_enabled(look.inputs)
        ui.installButton.setEnabled(bool(self._packages.missing))
        ui.redrawButton.setEnabled(look.redraw)
        ui.verdictLabel.setText(look.verdicts)
        ui.exportButton.setText(look.export)
        ui.exportButton.setEnabled(look.exportEnabled)
        ui.exportButton.setToolTip(look.exportTip)
        ui.progressBar.setVisible(look.bar is not None)
        if look.bar is not None:
            ui.progressBar.setMaximum(look.bar[1])
            ui.progressBar.setValue(look.bar[0])
        self._status.show(look.status, look.icon, look.linkText, look.link.value)

    def _casesText(self):
        """Return how many cases the folder holds, or what is wrong with it."""
        try:
            return _("{count} cases found").format(count=case_count(self.parameters.caseFolder))
        except DiffusionCoreError as error:
            return core_text(str(error))

    def _onShown(self, row):
        """Show a variant, in place of the preview if there is one."""
        with self.at_once():
            self.logic.preview = None
            self.set_value("shown", row)
        self.refresh()

    def _onVerdict(self, row, kept):
        try:
            self.logic.collection.judge(row, kept)
        except DiffusionCoreError as error:
            self._status.show(core_text(str(error)))
        self.refresh()

    def _onPackages(self):
        self._advanced.listPackages()
        self.refresh()

    def _onNodes(self, *_arguments):
        if not self.logic.running and not slicer.mrmlScene.IsBatchProcessing():
            self.refresh()
