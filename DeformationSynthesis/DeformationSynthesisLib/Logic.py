"""What the module DeformationSynthesis does, without a window: for scripts, tests and the panel."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


class DeformationSynthesisLogic:
    """Makes variants of labeled cases, one task at a time, in a process of its own.

    The panel starts tasks and then calls ``poll`` by a timer; a script calls ``synthesize``, which waits.

    Attributes:
        run: the task under way or the last one (DiffusionCore.mrml.synthesis_run.SynthesisRun); None before the first.
        collection: the variants (DiffusionCore.synthesis.collection.VariantCollection); None before ``useCollection``.
        preview: the file of the last preview; None if there is none.
        runnerOf: makes the runner of a job; None stands for a worker process.
    """

    run: Any = None
    collection: Any = None
    preview: Path | None = None
    runnerOf: Callable[[Any], Any] | None = None
    _taken = 0  # records of the run that are in the collection
    _take: Callable[[dict[str, Any]], None] | None = None

    @property
    def running(self) -> bool:
        """Whether a task is under way."""
        return self.run is not None and not self.run.state.ended

    def useCollection(self, folder: Path) -> None:
        """Go on with the variants in ``folder``, or begin there."""
        from DiffusionCore.synthesis.collection import VariantCollection

        if self.collection is None or self.collection.folder != folder:
            self.collection, self.preview = VariantCollection.open(folder), None

    def generate(self, request: Any, count: int) -> Any:
        """Begin to make ``count`` more variants of ``request`` (DiffusionCore.mrml.synthesis_request.SynthesisRequest).

        Raises:
            DiffusionCoreError: why it cannot be done; the text is for the user.
        """
        self._refuseIfRunning()
        folder, indices = self.collection.begin(count)
        self.preview = None
        return self._start(request, folder, indices, self.collection.add)

    def redraw(self, request: Any) -> Any:
        """Begin to replace the rejected variants by new ones; errors as ``generate``."""
        self._refuseIfRunning()
        rows = self.collection.rejected
        folder, indices = self.collection.begin(len(rows))
        places = iter(rows)
        self.preview = None
        return self._start(request, folder, indices, lambda record: self.collection.put(next(places), record))

    def makePreview(self, request: Any) -> Any:
        """Begin to make the variant that ``generate`` would make first, without keeping it; errors as there."""
        self._refuseIfRunning()
        import shutil

        folder = self.collection.folder / "preview"
        shutil.rmtree(folder, ignore_errors=True)
        self.preview = None

        def take(record):
            self.preview = folder / record["files"][0]

        return self._start(request, folder, (self.collection.next_index,), take)

    def export(self, output: Path, layout: str, originals: bool) -> Any:
        """Begin to write the kept variants to the folder ``output`` (DiffusionCore.jobs.synthesis_jobs.ExportJob)."""
        from DiffusionCore.jobs.synthesis_jobs import ExportJob

        self._refuseIfRunning()
        folders, records = self.collection.exported()

        def preparing():
            yield
            return ExportJob(folders, records, str(output), layout, originals)

        return self._follow(preparing(), len(records), lambda record: None)

    def poll(self) -> bool:
        """Take in what the task has reported; return whether anything has changed."""
        if self.run is None:
            return False
        changed = self.run.poll()
        new = self.run.records[self._taken :]
        for record in new:
            self._taken += 1
            self._take(record)
        if new and self.collection.folder.is_dir():
            self.collection.save()
        return changed

    def synthesize(
        self,
        inputVolume: Any,
        inputSegmentation: Any,
        count: int = 1,
        strength: float = 0.6,
        seed: int = 0,
        settings: dict[str, Any] | None = None,
        runnerOf: Callable[[Any], Any] | None = None,
    ) -> list[tuple[Any, Any]]:
        """Add ``count`` variants of a labeled volume to the scene, wait for it, and return (volume, segmentation) each.

        Args:
            inputVolume: a scalar volume node.
            inputSegmentation: a segmentation node, or a label map, of it.
            count: variants.
            strength: 0..1; .3 is subtle, .6 natural, 1 strong.
            seed: variant k of a seed is the same for ever.
            settings: further ones of ``DiffusionCore.synthesis.settings.SynthesisSettings``, plain and partial.
            runnerOf: as the attribute.

        Raises:
            DiffusionCoreError: something about the inputs or the machine prevents it; the text is for the user.
        """
        import tempfile

        from DiffusionCore.checks import DiffusionCoreError
        from DiffusionCore.mrml.run_state import RunState
        from DiffusionCore.mrml.synthesis_request import SynthesisRequest
        from DiffusionCore.mrml.variant_nodes import add_case
        from DiffusionCore.synthesis.collection import VariantCollection
        from DiffusionCore.synthesis.stored_case import StoredCase
        from DiffusionCore.synthesis.subject import variant_name

        self._refuseIfRunning()
        request = SynthesisRequest(
            inputVolume, inputSegmentation, settings={"strength": strength, **(settings or {})}, seed=seed
        )
        former = self.collection
        with tempfile.TemporaryDirectory() as folder:
            self.collection = collection = VariantCollection(Path(folder))
            self.runnerOf, usual = runnerOf or self.runnerOf, self.runnerOf
            try:
                self.generate(request, count)
                self._wait()
            finally:
                self.runnerOf, self.collection = usual, former
                self.close()
            if self.run.state is not RunState.FINISHED or len(collection.rows) < count:
                raise DiffusionCoreError(self.run.message or " ".join(self.run.cautions))
            rows = sorted(collection.rows, key=lambda row: row.record["index"])
            return [
                add_case(
                    inputVolume.GetScene(),
                    StoredCase.read(collection.path_of(row)),
                    variant_name(inputVolume.GetName(), row.record["index"]),
                    display=inputVolume,
                )
                for row in rows
            ]

    def close(self) -> None:
        """End what is under way; no process stays. For the end of the module and of Slicer."""
        if self.run is not None:
            self.run.close()

    def _start(self, request: Any, folder: Path, indices: tuple[int, ...], take: Callable) -> Any:
        from DiffusionCore.checks import DiffusionCoreError
        from DiffusionCore.mrml.synthesis_request import preparing_synthesis, synthesis_findings

        for finding in synthesis_findings(request):
            if finding.prevents:
                raise DiffusionCoreError(finding.text)
        return self._follow(preparing_synthesis(request, folder, indices), len(indices), take)

    def _follow(self, preparing: Any, count: int, take: Callable) -> Any:
        from DiffusionCore.mrml.synthesis_run import SynthesisRun

        self._taken, self._take = 0, take
        self.run = SynthesisRun(preparing, count, self.runnerOf)
        return self.run

    def _refuseIfRunning(self) -> None:
        from DiffusionCore.checks import DiffusionCoreError

        if self.running:
            raise DiffusionCoreError("A computation is under way. Stop it first.")

    def _wait(self) -> None:
        import slicer

        while self.running:
            if not self.poll():
                time.sleep(0.005)
            if getattr(slicer, "app", None) is not None:
                slicer.app.processEvents()
