"""The panel: starts registrations, follows them by a timer, and says what happens."""

import slicer

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.mrml.run import RunState
from DiffusionCore.mrml.texts import core_text

from . import Estimate, Presets, Views
from .Form import RegistrationForm
from .Notes import gpuNote
from .Requests import requestOf, signatureOf
from .RunFacts import endFacts, runFacts
from .States import End, Facts, Phase

_VISIBLE = (0.3, 0.7)  # opacity of the moving volume at which a result can be judged


class RegistrationPanel(RegistrationForm):
    """Register and Stop are one button. While it says Stop, everything else in Slicer can be used and even deleted."""

    def __init__(self, module):
        self._resumedFrom, self._work, self._expected = None, "", None
        self._end, self._endSignature = Facts(), None
        self._live, self._resultShown = True, False
        super().__init__(module)

    def build(self):
        super().build()
        self.ui.registerButton.clicked.connect(lambda *_arguments: self.press(self._start))
        self.ui.undoButton.clicked.connect(self._undo)
        self.ui.resumeButton.clicked.connect(self._resume)

    # life cycle

    def enter(self):
        self._packages.look()
        super().enter()

    def exit(self):
        if self.parameters is not None:
            self._looks.switchOff(self.parameters, ("colors", "grid"))
        super().exit()

    def on_bind(self):
        self._looks.forget()
        self._notes.forget()
        with self.at_once():
            self._training.bind(self.parameters)
        if self.parameters is None:
            self._steps.release()
            self._result.release()
            return
        self._restoreSteps()
        self._live = self.parameters.live

    def cleanup(self):
        super().cleanup()
        self._result.remove()
        self._training.cleanup()

    def _on_start_close(self, *arguments):
        super()._on_start_close(*arguments)
        self._end, self._endSignature = Facts(), None
        if self.logic.running:
            self.look()

    def _restoreSteps(self):
        """Make the steps of a loaded scene what they were before it was saved."""
        from DiffusionCore.mrml.sequences import StepSequence

        if not self.logic.running and self.parameters.outputTransform is not None:
            StepSequence.restore(self.parameters.outputTransform)

    # running

    @property
    def lastStep(self):
        """The number of the last step that there is, from 1; None without steps."""
        return self._steps.last

    def _resume(self, *_arguments):
        if self._steps.branch is not None:
            self._start(resume=self._steps.branch.shown)

    def _start(self, resume=None):
        chosen = self.parameters
        preset = self._preset()
        inColors = chosen.colors
        self._looks.switchOff(chosen, ("before", "uncertainty", "colors"))  # before the logic notes what to go back to
        self.refresh()  # a training may have begun or ended since
        request = requestOf(chosen, preset, self._device)
        try:
            run = self.logic.start(request) if resume is None else self.logic.resume(request, resume)
        except DiffusionCoreError as error:
            self._end = Facts(end=End.FAILED, failure=core_text(str(error)))
            self._endSignature = signatureOf(chosen)
            self.refresh()
            return
        self._resumedFrom = None if resume is None else self._steps.shown
        self._steer.note(chosen)
        self._work = Presets.workName(preset, chosen.detail)
        whole = (request.fixed, request.moving, self._work, request.samples)
        self._expected = Estimate.secondsOf(*whole) if resume is None else None
        self._end = Facts()
        chosen.fade = min(max(chosen.fade, _VISIBLE[0]), _VISIBLE[1])
        chosen.live = self._live = run.following = True
        if not Views.showsPair(chosen.fixedVolume, chosen.movingVolume):
            Views.showPair(chosen.fixedVolume, chosen.movingVolume, chosen.fade)
        chosen.colors = inColors
        self.follow()

    def follow_run(self):
        with self.at_once():
            changed = self.logic.poll()
            if self.logic.running:
                self._takeOutputs(self.logic.run)
        return changed

    def on_end(self):
        run = self.logic.run
        self._log.follow(run)
        if self.parameters is None:  # the scene is being closed
            return
        chosen, seconds = self.parameters, self.elapsed
        self._takeOutputs(run)
        self._end, self._endSignature = endFacts(run, seconds), signatureOf(chosen)
        if run.state is RunState.FINISHED:
            request = run.request
            rest = (self._work, run.device, request.samples, seconds)
            if self._resumedFrom is None:
                Estimate.remember(request.fixed, request.moving, *rest)
            if not self._resultShown:
                self._resultShown = True
                self.ui.resultSection.collapsed = False
        self._looks.forget()
        self.refresh()
        slicer.util.showStatusMessage(self.ui.statusLabel.toolTip, 3000)

    def _takeOutputs(self, run):
        for name, node in (("outputTransform", run.nodes.transform), ("outputVolume", run.nodes.volume)):
            present = node is not None and slicer.mrmlScene.IsNodePresent(node)
            if present and getattr(self.parameters, name) is not node:
                setattr(self.parameters, name, node)

    def _undo(self, *_arguments):
        self._looks.switchOff(self.parameters)
        with self.at_once():
            self.logic.undo()
        self._looks.forget()
        self._end = Facts()
        self.refresh()

    # what is shown

    def show_all(self):
        if self.logic.running:
            self._agreeOnLive(self.logic.run)
        super().show_all()

    def facts(self, problem):
        chosen, steps = self.parameters, self._steps
        places = {"shown": steps.shown, "last": steps.last, "canUndo": self.logic.canUndo, "problem": problem}
        places["training"] = self._training.sentence
        if self._packages.installing:
            return Facts(phase=Phase.INSTALLING, activity=self._packages.installing, **places)
        if self.logic.running:
            return runFacts(self.logic.run, self._resumedFrom, self.stop_seconds, self._expected, places)
        self._forgetOldEnd()
        if self._end.end is End.NONE and not problem:
            work = Presets.workName(self._preset(), chosen.detail)
            request = (chosen.fixedVolume, chosen.movingVolume, work, self._device, chosen.samples)
            places["estimate"] = Estimate.estimateText(*request)
        anyVolume = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") > 0
        return self._end.replaced(anyVolume=anyVolume, **places)

    def noteAfterRun(self):
        self._forgetOldEnd()
        return gpuNote(lambda: self.set_value("device", "cpu")) if self._end.gpuWasFull else None

    def _forgetOldEnd(self):
        """Forget how the last run ended when another one is asked for now."""
        if self._endSignature != signatureOf(self.parameters):
            self._end = Facts()

    def _agreeOnLive(self, run):
        """Let the button and the run agree on whether the newest step is shown; who changed last wins."""
        chosen = self.parameters
        if chosen.live != self._live:
            run.following = chosen.live
        elif run.following != self._live:
            chosen.live = run.following
        self._live = chosen.live
