"""The panel: makes variants, follows them by a timer, and says what happens."""

import uuid
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.mrml.panels.states import ENDS, PHASES, End, Phase
from DiffusionCore.mrml.texts import core_text
from DiffusionCore.mrml.variant_nodes import add_case
from DiffusionCore.synthesis.stored_case import StoredCase
from DiffusionCore.synthesis.subject import variant_name

from .ExportSection import SCENE
from .Form import SynthesisForm
from .Requests import requestOf, signatureOf
from .States import Facts, Link, Task, appearance


class SynthesisPanel(SynthesisForm):
    """Generate and Stop are one button. What is finished can be reviewed while more is being made."""

    def __init__(self, module):
        self._task = Task.NONE
        self._end, self._endSignature = Facts(), None
        self._cleared = None  # the collection that Undo would bring back
        super().__init__(module)

    def build(self):
        super().build()
        ui = self.ui
        ui.generateButton.clicked.connect(lambda *_arguments: self.press(lambda: self._begin(Task.GENERATE)))
        ui.previewButton.clicked.connect(lambda *_arguments: self._begin(Task.PREVIEW))
        ui.redrawButton.clicked.connect(lambda *_arguments: self._begin(Task.REDRAW))
        ui.exportButton.clicked.connect(lambda *_arguments: self._onExport())

    # life cycle

    def enter(self):
        self._packages.look()
        super().enter()

    def exit(self):
        if self.parameters is not None:
            self.parameters.grid = False
        super().exit()

    def on_bind(self):
        self._notes.forget()
        with self.at_once():
            self._training.bind(self.parameters)
        if self.parameters is None:
            self._review.release()
            return
        self._review.forget()
        if not self.logic.running:
            self._useCollection()

    def cleanup(self):
        super().cleanup()
        self._training.cleanup()
        self._forgetCleared()

    def _on_start_close(self, *arguments):
        self.end_run()
        self._end, self._endSignature = Facts(), None
        self._forgetCleared()
        if self.parameters is not None:
            with self.at_once():  # the node of the parameters outlives the scene
                self.parameters.collection, self.parameters.shown = "", 0
        super()._on_start_close(*arguments)

    def _useCollection(self):
        """Go on with the variants of the scene, or begin where nothing is yet."""
        chosen, logic = self.parameters, self.logic
        if chosen.collection:
            logic.useCollection(Path(chosen.collection))
            if not logic.collection.rows:
                chosen.collection, chosen.shown = "", 0
                gone = _(
                    "The variants of this scene are no longer in the folder for temporary files. "
                    "The same settings and seed make the same ones again."
                )
                self._fail(Task.GENERATE, gone)
        elif logic.collection is None or logic.collection.rows:
            self._newCollection()

    def _newCollection(self):
        name = f"DeformationSynthesis-{uuid.uuid4().hex[:12]}"
        self.logic.useCollection(Path(slicer.app.temporaryPath) / name)

    # tasks

    def _begin(self, task):
        logic, chosen = self.logic, self.parameters
        request = requestOf(chosen, self.method())
        actions = {
            Task.PREVIEW: lambda: logic.makePreview(request),
            Task.GENERATE: lambda: logic.generate(request, chosen.count),
            Task.REDRAW: lambda: logic.redraw(request),
            Task.EXPORT: lambda: logic.export(
                self._export.output(chosen), chosen.exportFormat, chosen.includeOriginals
            ),
        }
        self._forgetCleared()
        try:
            actions[task]()
        except DiffusionCoreError as error:
            self._fail(task, core_text(str(error)))
            return
        self._task, self._end = task, Facts()
        self.follow()

    def _onExport(self):
        if self.parameters.exportFormat == SCENE:
            self._addToScene()
        else:
            self._begin(Task.EXPORT)

    def _addToScene(self):
        collection, scene = self.logic.collection, slicer.mrmlScene
        try:
            for row in collection.kept:
                case = StoredCase.read(collection.path_of(row))
                name = variant_name(case.subject.name, row.record["index"])
                add_case(scene, case, name, display=self.parameters.inputVolume)
                slicer.app.processEvents()
        except DiffusionCoreError as error:
            self._fail(Task.EXPORT, core_text(str(error)))
            return
        self._end = Facts(end=End.FINISHED, task=Task.EXPORT, done=len(collection.kept))
        self._endSignature = signatureOf(self.parameters)
        self.refresh()

    def _fail(self, task, message):
        self._end = Facts(end=End.FAILED, task=task, failure=message)
        self._endSignature = signatureOf(self.parameters)
        self.refresh()

    def follow_run(self):
        changed, collection = self.logic.poll(), self.logic.collection
        if collection.rows and self.parameters is not None and not self.parameters.collection:
            self.parameters.collection = str(collection.folder)
        return changed

    def on_end(self):
        run = self.logic.run
        self._log.follow(run)
        if self.parameters is None:  # the scene is being closed
            return
        refused = sum(len(record.get("redrawn", ())) for record in run.records)
        self._end = Facts(
            end=ENDS[run.state],
            task=self._task,
            done=len(run.records),
            of=run.of,
            failure=core_text(run.message),
            hasDetails=bool(run.details),
            caution=" ".join(map(core_text, run.cautions)),
            seconds=self.elapsed,
            refusedDraws=refused if self._task is not Task.EXPORT else 0,
            exported=str(self._export.output(self.parameters)) if self._task is Task.EXPORT else "",
        )
        self._endSignature = signatureOf(self.parameters)
        self._review.forget()
        self.refresh()
        slicer.util.showStatusMessage(appearance(self.facts(self._problem)).status, 3000)

    # what is shown

    def facts(self, problem):
        chosen, logic = self.parameters, self.logic
        rows = [] if logic.collection is None else logic.collection.rows
        volumes = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
        places = {
            "anyVolume": chosen.source == "folder" or volumes > 0,
            "problem": problem,
            "training": self._training.sentence,
            "exportProblem": self._export.problem(chosen),
            "count": chosen.count,
            "rows": len(rows),
            "kept": sum(row.kept for row in rows),
        }
        if self._packages.installing:
            return Facts(phase=Phase.INSTALLING, activity=self._packages.installing, **places)
        if logic.running:
            run = logic.run
            return Facts(
                phase=PHASES[run.state],
                task=self._task,
                activity=core_text(run.activity),
                done=len(run.records),
                of=run.of,
                secondsLeft=run.seconds_left,
                stopSeconds=self.stop_seconds,
                **places,
            )
        if self._endSignature != signatureOf(chosen):
            self._end = Facts()
        cleared = 0 if self._cleared is None else len(self._cleared.rows)
        return self._end.replaced(cleared=cleared, **places)

    def onLink(self, address):
        match Link(address):
            case Link.SAMPLE:
                slicer.util.selectModule("SampleData")
            case Link.DETAILS:
                self._log.open()
            case Link.FOLDER:
                qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(self._end.exported))
            case Link.CLEAR:
                self._clear()
            case Link.UNDO:
                self._restoreCleared()

    def _clear(self):
        """Take the variants away; Undo brings them back until something else is done."""
        self._forgetCleared()
        self._cleared, self._end = self.logic.collection, Facts()
        with self.at_once():
            self.parameters.collection, self.parameters.shown = "", 0
            self._newCollection()
            self._review.release()
            self._review.nodes.remove()
        self.refresh()

    def _restoreCleared(self):
        cleared, self._cleared = self._cleared, None
        with self.at_once():
            self.parameters.collection = str(cleared.folder)
            self._useCollection()
            self._review.forget()
        self.refresh()

    def _forgetCleared(self):
        if self._cleared is not None:
            self._cleared.delete()
            self._cleared = None
