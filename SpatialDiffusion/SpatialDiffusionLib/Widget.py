"""The panel: starts registrations, follows them by a timer, and says what happens."""

import time

import qt
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

_INTERVAL = 50  # ms between two looks at a run
_VISIBLE = (0.3, 0.7)  # opacity of the moving volume at which a result can be judged


class RegistrationPanel(RegistrationForm):
    """Register and Stop are one button. While it says Stop, everything else in Slicer can be used and even deleted."""

    def __init__(self, module):
        self._timer = qt.QTimer()
        self._timer.setInterval(_INTERVAL)
        self._timer.timeout.connect(self._onTimer)
        self._ticks, self._resumedFrom, self._work, self._expected = 0, None, "", None
        self._startedAt = self._stoppedAt = 0.0
        self._end, self._endSignature = Facts(), None
        self._live, self._resultShown = True, False
        super().__init__(module)

    def build(self):
        super().build()
        self.ui.registerButton.clicked.connect(self._onButton)
        self.ui.undoButton.clicked.connect(self._undo)
        self.ui.resumeButton.clicked.connect(self._resume)
        slicer.app.connect("aboutToQuit()", self._onQuit)

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
        self._training.bind(self.parameters)
        if self.parameters is None:
            self._steps.release()
            self._result.release()
            return
        self._restoreSteps()
        self._live = self.parameters.live

    def cleanup(self):
        self.end_run()
        self._timer.timeout.disconnect(self._onTimer)  # it would keep the panel, which keeps the timer
        slicer.app.disconnect("aboutToQuit()", self._onQuit)
        super().cleanup()
        self._result.remove()
        self._training.cleanup()

    def end_run(self):
        """End a registration that is under way; the steps so far stay."""
        self._timer.stop()
        self.logic.close()
        self.running = False

    def _onQuit(self, *_arguments):
        self.end_run()

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
        self.refresh()

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
            self._end = Facts(end=End.FAILED, failure=core_text(str(error)))
            self._endSignature = signatureOf(chosen)
            self.refresh()
            return
        self._resumedFrom = None if resume is None else self._steps.shown
        self._steer.note(chosen)
        self._work = Presets.workName(preset, chosen.detail)
        whole = (request.fixed, request.moving, self._work, request.samples)
        self._expected = Estimate.secondsOf(*whole) if resume is None else None
        self._startedAt, self._end = time.monotonic(), Facts()
        chosen.fade = min(max(chosen.fade, _VISIBLE[0]), _VISIBLE[1])
        chosen.live = self._live = run.following = True
        if not Views.showsPair(chosen.fixedVolume, chosen.movingVolume):
            Views.showPair(chosen.fixedVolume, chosen.movingVolume, chosen.fade)
        chosen.colors = inColors
        self.running = True
        self._timer.start()
        self.refresh()

    def _onTimer(self, *_arguments):
        with self.at_once():
            changed = self.logic.poll()
            if self.logic.running:
                self._takeOutputs(self.logic.run)
        self._ticks += 1
        if not self.logic.running:
            self._timer.stop()
            self._onEnd()
        elif changed or self._ticks % 10 == 0:
            self.refresh()

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
            rest = (self._work, run.device, request.samples, seconds)
            if self._resumedFrom is None:
                Estimate.remember(request.fixed, request.moving, *rest)
            if not self._resultShown:
                self._resultShown = True
                self.ui.resultSection.collapsed = False
        self._looks.forget()
        self.refresh()
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
        if self._packages.installing:
            return Facts(phase=Phase.INSTALLING, activity=self._packages.installing, **places)
        if self.logic.running:
            stopping = time.monotonic() - self._stoppedAt
            return runFacts(self.logic.run, self._resumedFrom, stopping, self._expected, places)
        self._forgetOldEnd()
        if self._end.end is End.NONE and not problem:
            work = Presets.workName(self._preset(), chosen.detail)
            request = (chosen.fixedVolume, chosen.movingVolume, work, chosen.device, chosen.samples)
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
