"""The panel: starts registrations, follows them by a timer, and says what happens."""

import time
from contextlib import contextmanager

import qt
import slicer

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.models import list_models
from DiffusionCore.mrml.install import ensure_packages, missing_packages
from DiffusionCore.mrml.panel import ParameterPanel
from DiffusionCore.mrml.run import RunState

from . import Estimate, Presets, Views
from .AdvancedSection import RESTORED, AdvancedSection
from .Choices import Choice
from .LogSection import LogSection
from .Looks import TOGGLES, Looks
from .NoteRow import NoteRow
from .Notes import Notes
from .Requests import requestOf, signatureOf
from .ResultSection import ResultSection
from .RunFacts import endFacts, runFacts
from .States import End, Facts, Link, Phase, appearance
from .StepsSection import StepsSection
from .Texts import QuietTexts, StatusLine, alignLabels, letShrink
from .TrainingSection import TrainingSection

_INTERVAL = 50  # ms between two looks at a run
_VISIBLE = (0.3, 0.7)  # opacity of the moving volume at which a result can be judged


class RegistrationPanel(ParameterPanel):
    """Register and Stop are one button. While it says Stop, everything else in Slicer can be used and even deleted."""

    def __init__(self, module):
        self._timer = qt.QTimer()
        self._timer.setInterval(_INTERVAL)
        self._timer.timeout.connect(self._onTimer)
        self._ticks, self._busy = 0, False
        self._startedAt = self._stoppedAt = 0.0
        self._end, self._endSignature = Facts(), None
        self._installing, self._live, self._resultShown = False, True, False
        self._resumedFrom, self._missing, self._problem = None, [], ""
        super().__init__(module, "SpatialDiffusion")

    # building

    def build(self):
        ui = self.ui
        self._status = StatusLine(ui.statusLabel, ui.statusIcon, self._onLink)
        self._steps = StepsSection(ui, self._refreshIdle)
        self._result = ResultSection(ui, self._sayOnce)
        self._log = LogSection(ui)
        self._looks = Looks(ui)
        self._note, self._notes = NoteRow(ui), Notes(self._install, self._refresh)
        self._presets = Choice(ui.presetSelector, lambda key: self._set("preset", key))
        self._advanced = AdvancedSection(ui, lambda key: self._set("device", key), self._install, self._restore)
        self.listPresets()
        explaining = (ui.presetDescription, ui.stepsEmptyLabel, ui.resultEmptyLabel, ui.stepLabel, ui.packagesLabel)
        self._quiet = QuietTexts(self.form, explaining)
        names = ("fixedVolume", "movingVolume", "preset", "outputTransform", "outputVolume")
        alignLabels([getattr(ui, f"{name}SelectorLabel") for name in names])
        self.fitButtons()
        self._training = TrainingSection(ui.trainingContainer, self)
        last = ui.trainingContainer.findChildren(qt.QPushButton)[-1]
        for widget in (ui.logText, ui.copyLogButton):  # the training came into the form after them
            qt.QWidget.setTabOrder(last, widget)
            last = widget
        for name in ("steer", "training"):
            self._hideIfEmpty(name)
        for selector in (ui.fixedVolumeSelector, ui.movingVolumeSelector):
            selector.connect("nodeActivated(vtkMRMLNode*)", self._onVolumePicked)
        ui.registerButton.clicked.connect(self._onButton)
        ui.undoButton.clicked.connect(self._undo)
        ui.resumeButton.clicked.connect(self._resume)
        slicer.app.connect("aboutToQuit()", self._onQuit)
        scene = slicer.mrmlScene
        for event in (scene.NodeAddedEvent, scene.NodeRemovedEvent):
            self.addObserver(scene, event, self._onNodes)

    def fitButtons(self):
        """Let the rows of buttons be as narrow as their texts allow."""
        letShrink([self.ui.liveButton, *(getattr(self.ui, f"{name}Button") for name in TOGGLES)])

    def listPresets(self):
        """Offer the built-in presets and, below a line, the models that are installed now."""
        builtIn = Presets.builtInPresets()
        self._known = {preset.key: preset for preset in (*builtIn, *Presets.modelPresets(list_models()))}
        items = [(preset.key, preset.text) for preset in self._known.values()]
        self._presets.fill(items, separatorAfter=len(builtIn))
        if self.parameters is not None:
            self._refresh()

    def _hideIfEmpty(self, name):
        container = getattr(self.ui, f"{name}Container")
        getattr(self.ui, f"{name}Section").setVisible(container.layout() is not None)

    # life cycle

    def enter(self):
        self._missing = missing_packages()
        super().enter()

    def exit(self):
        if self.parameters is not None:
            self._looks.switchOff(self.parameters, ("colors", "grid"))
        super().exit()

    def on_bind(self):
        self._looks.forget()
        self._notes.forget()
        self._training.bind(self.parameters)
        if self.parameters is None:
            self._steps.release()
            self._result.release()
            return
        self._restoreSteps()
        self._live = self.parameters.live

    def cleanup(self):
        self.endRun()
        slicer.app.disconnect("aboutToQuit()", self._onQuit)
        super().cleanup()
        self._training.cleanup()

    def endRun(self):
        """End a registration that is under way; the steps so far stay."""
        self._timer.stop()
        self.logic.close()
        self.running = False

    def _onQuit(self, *_arguments):
        self.endRun()

    def _on_start_close(self, *arguments):
        super()._on_start_close(*arguments)
        self._end, self._endSignature = Facts(), None
        if self.logic.running:
            self._onTimer()

    def _restoreSteps(self):
        """Make the steps of a loaded scene what they were before it was saved."""
        from DiffusionCore.mrml.sequences import StepSequence

        if not self.logic.running and self.parameters.outputTransform is not None:
            StepSequence.restore(self.parameters.outputTransform)

    # running

    @property
    def isButtonArmed(self):
        """Whether a click on Stop stops: the second click of a double click on Register does not."""
        return time.monotonic() - self._startedAt > slicer.app.doubleClickInterval / 1000

    @property
    def lastStep(self):
        """The number of the last step that there is, from 1; None without steps."""
        return self._steps.last

    def _onButton(self, *_arguments):
        run = self.logic.run
        if not self.logic.running:
            self._start()
        elif run.state is RunState.STOPPING:
            run.force_stop()
        elif self.isButtonArmed:
            self._stoppedAt = time.monotonic()
            run.stop()
        self._refresh()

    def _resume(self, *_arguments):
        if self._steps.branch is not None:
            self._start(resume=self._steps.branch.shown)

    def _start(self, resume=None):
        chosen = self.parameters
        preset = self._preset()
        inColors = chosen.colors
        self._looks.switchOff(chosen, ("before", "uncertainty", "colors"))  # before the logic notes what to go back to
        request = requestOf(chosen, preset)
        try:
            run = self.logic.start(request) if resume is None else self.logic.resume(request, resume)
        except DiffusionCoreError as error:
            self._end = Facts(end=End.FAILED, failure=str(error))
            self._endSignature = signatureOf(chosen)
            self._refresh()
            return
        self._resumedFrom = None if resume is None else self._steps.shown
        self._startedAt, self._end = time.monotonic(), Facts()
        chosen.fade = min(max(chosen.fade, _VISIBLE[0]), _VISIBLE[1])
        chosen.live = self._live = run.following = True
        if not Views.showsPair(chosen.fixedVolume, chosen.movingVolume):
            Views.showPair(chosen.fixedVolume, chosen.movingVolume, chosen.fade)
        chosen.colors = inColors
        self.running = True
        self._timer.start()
        self._refresh()

    def _onTimer(self, *_arguments):
        with self._atOnce():
            changed = self.logic.poll()
            if self.logic.running:
                self._takeOutputs(self.logic.run)
        self._ticks += 1
        if not self.logic.running:
            self._timer.stop()
            self._onEnd()
        elif changed or self._ticks % 10 == 0:
            self._refresh()

    def _onEnd(self):
        run, self.running = self.logic.run, False
        self._log.follow(run)
        if self.parameters is None:  # the scene is being closed
            return
        chosen, seconds = self.parameters, time.monotonic() - self._startedAt
        self._takeOutputs(run)
        self._end, self._endSignature = endFacts(run, seconds), signatureOf(chosen)
        if run.state is RunState.FINISHED:
            request = run.request
            rest = (request.method, run.device, request.samples, seconds)
            if self._resumedFrom is None:
                Estimate.remember(request.fixed, request.moving, *rest)
            if not self._resultShown:
                self._resultShown = True
                self.ui.resultSection.collapsed = False
        self._looks.forget()
        self._refresh()
        slicer.util.showStatusMessage(self.ui.statusLabel.toolTip, 3000)
        if not self._entered:
            self._bind(None)

    def _takeOutputs(self, run):
        for name, node in (("outputTransform", run.nodes.transform), ("outputVolume", run.nodes.volume)):
            present = node is not None and slicer.mrmlScene.IsNodePresent(node)
            if present and getattr(self.parameters, name) is not node:
                setattr(self.parameters, name, node)

    def _undo(self, *_arguments):
        self._looks.switchOff(self.parameters)
        with self._atOnce():
            self.logic.undo()
        self._looks.forget()
        self._end = Facts()
        self._refresh()

    # packages

    def _install(self, *_arguments):
        self._installing = True
        self._refresh()
        slicer.app.processEvents()
        try:
            ensure_packages("SpatialDiffusion")
            self._notes.complaint = ""
        except DiffusionCoreError as error:
            self._notes.complaint = str(error)
        finally:
            self._installing, self._missing = False, missing_packages()
            self._advanced.listPackages()
            self._refresh()

    def _restore(self, *_arguments):
        chosen = self.parameters
        for name in RESTORED:
            chosen.setValue(name, chosen.default(name).value)

    # showing

    def on_change(self):
        self._refresh()

    def _refresh(self):
        """Let every widget show what holds now."""
        if self.parameters is not None and not self._busy:
            with self._atOnce():
                self._showAll()

    @contextmanager
    def _atOnce(self):
        """Within the block, what is changed does not lead to a refresh: only what there is at its end is shown."""
        former, self._busy = self._busy, True
        try:
            yield
        finally:
            self._busy = former

    def _showAll(self):
        chosen, run = self.parameters, self.logic.run
        if self.logic.running:
            self._agreeOnLive(run)
        self._steps.follow(chosen.outputTransform)
        self._result.follow(chosen.outputTransform)
        self._log.follow(run)
        self._looks.follow(chosen)
        preset = self._preset()
        if not self._presets.show(chosen.preset):
            self.ui.presetSelector.setCurrentIndex(-1)
        self._advanced.devices.show(chosen.device)
        self.ui.presetDescription.setText(preset.description)
        if not self.logic.running:
            note, self._problem = self._notes.about(requestOf(chosen, preset), self._missing)
            if preset.key not in self._known:
                self._problem = preset.description
            self._note.show(note)
        self._present(appearance(self._facts(self._problem)))

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
        self._note.setButtonEnabled(look.inputs)
        ui.branchSelector.setEnabled(look.inputs)
        ui.installButton.setEnabled(bool(self._missing))
        ui.liveButton.setEnabled(self.logic.running)
        ui.progressBar.setVisible(look.bar is not None)
        if look.bar is not None:
            ui.progressBar.setMaximum(look.bar[1])
            ui.progressBar.setValue(look.bar[0])
        ui.stepsBody.setVisible(look.steps)
        ui.stepsEmptyLabel.setVisible(not look.steps)
        self._status.show(look.status, look.icon, look.linkText, look.link.value)

    def _facts(self, problem):
        chosen, steps = self.parameters, self._steps
        places = {"shown": steps.shown, "last": steps.last, "canUndo": self.logic.canUndo, "problem": problem}
        if self._installing:
            return Facts(phase=Phase.INSTALLING, **places)
        if self.logic.running:
            return runFacts(self.logic.run, self._resumedFrom, time.monotonic() - self._stoppedAt, places)
        if self._endSignature != signatureOf(chosen):
            self._end = Facts()
        if self._end.end is End.NONE and not problem:
            request = (chosen.fixedVolume, chosen.movingVolume, self._preset().method, chosen.device, chosen.samples)
            places["estimate"] = Estimate.estimateText(*request)
        anyVolume = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") > 0
        return self._end.replaced(anyVolume=anyVolume, **places)

    def _agreeOnLive(self, run):
        """Let the button and the run agree on whether the newest step is shown; who changed last wins."""
        chosen = self.parameters
        if chosen.live != self._live:
            run.following = chosen.live
        elif run.following != self._live:
            chosen.live = run.following
        self._live = chosen.live

    def _preset(self):
        return self._known.get(self.parameters.preset) or Presets.missingPreset(self.parameters.preset)

    def _set(self, name, value):
        if self.parameters is not None:
            setattr(self.parameters, name, value)

    def _sayOnce(self, text):
        self._status.show(text)

    def _refreshIdle(self):
        """Follow the user through the steps; during a run the timer does."""
        if not self.logic.running:
            self._refresh()

    def _onNodes(self, *_arguments):
        if not self.logic.running and not slicer.mrmlScene.IsBatchProcessing():
            self._refresh()

    def _onVolumePicked(self, _node):
        """Show the pair that the user has picked; never one that came with a scene."""
        chosen = self.parameters
        if chosen is None or self.logic.running or chosen.fixedVolume is None or chosen.movingVolume is None:
            return
        if chosen.fixedVolume is not chosen.movingVolume:
            Views.showPair(chosen.fixedVolume, chosen.movingVolume, chosen.fade)
            self._looks.forget()
            self._refresh()

    def _onLink(self, address):
        match Link(address):
            case Link.SAMPLE:
                slicer.util.selectModule("SampleData")
            case Link.LAST_STEP:
                self._steps.goToLast()
            case Link.DETAILS:
                self._log.open()
