"""The training that a section follows: found in its folder, started, stopped and resumed. No widget, no torch."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.mrml.install import ensure_packages
from DiffusionCore.mrml.panels.training.recipes import Recipe, Source
from DiffusionCore.mrml.panels.training.states import TrainingFacts
from DiffusionCore.mrml.panels.words import installing_text
from DiffusionCore.mrml.texts import core_text

_LOG_EVERY = 10  # steps: a row of the log is what moves the bar and the curve


class FollowedTraining:
    """Follows one training at a time.

    Args:
        requester: the name of the module, for the questions before an installation.
        on_installing: called whenever there is something new to be said about an installation of packages.

    Attributes:
        run: the training (DiffusionCore.jobs.training.TrainingRun); None where there is none.
        failure: why the last thing that was asked for did not work, for the user; empty if it did.
    """

    def __init__(self, requester: str, on_installing: Callable[[], None]) -> None:
        self.run = None
        self.failure = ""
        self._requester, self._on_installing, self._installing = requester, on_installing, ""
        self._stop_asked = None  # time.monotonic()

    @property
    def running(self) -> bool:
        return self.run is not None and self.run.running

    def find(self, place: Path | None) -> None:
        """Follow the training in the folder ``place``, which may be None, and whatever becomes of it."""
        from DiffusionCore.jobs.training import TrainingRun

        self.run = None if place is None else TrainingRun.find(place)
        self.failure, self._stop_asked = "", None

    def forget_deleted(self) -> None:
        """Follow no training any more whose files are gone."""
        from DiffusionCore.jobs.training import TrainingRun

        if self.run is not None and TrainingRun.find(self.run.folder) is None:
            self.run = None

    def poll(self) -> None:
        if self.run is not None:
            self.run.poll()

    def start(self, recipe: Recipe, chosen: Any, place: Path) -> None:
        """Start a training of ``recipe`` in the folder ``place`` as the parameters ``chosen`` say."""
        from DiffusionCore.jobs.training import TrainingRun

        settings = [f"log_every={_LOG_EVERY}"]
        if chosen.trainingSteps:
            settings.append(f"steps={chosen.trainingSteps}")
        if chosen.trainingBegin:
            settings.append(f"begin={json.dumps(chosen.trainingBegin)}")
        learns = recipe.source is not Source.SYNTHETIC and chosen.trainingData != Path()
        data = chosen.trainingData if learns else None
        options = _options(chosen)
        self._launch(recipe.packages, lambda: TrainingRun.start(place, recipe.key, settings, data=data, **options))

    def resume(self, recipe: Recipe | None, chosen: Any) -> None:
        """Go on with the training, with the device and the time limit of the parameters ``chosen``.

        Args:
            recipe: what is trained; None if that is not known here.
            chosen: the wrapped parameter node.
        """
        self._launch(() if recipe is None else recipe.packages, lambda: self.run.resume(**_options(chosen)))

    def stop(self) -> None:
        """Ask the training to stop; asked again, end it."""
        if self._stop_asked is None:
            self.run.stop()
            self._stop_asked = time.monotonic()
        else:
            self.run.kill()
        self.run.poll()

    def _attempt(self, action: Callable[[], Any]) -> None:
        """Call ``action()``; what goes wrong is said in ``failure``."""
        self.failure = ""
        try:
            action()
        except DiffusionCoreError as error:
            self.failure = core_text(str(error))

    def facts(self, problem: str) -> TrainingFacts:
        """Return what holds now; ``problem`` is why no training can be started."""
        run = self.run
        known = {"problem": problem, "failure": self.failure, "installing": self._installing}
        if run is None:
            return TrainingFacts(**known)
        if run.stopping and self._stop_asked is None:  # somebody else asked it
            self._stop_asked = time.monotonic()
        return TrainingFacts(
            **known,
            state=run.state.value,
            stop_seconds=None if self._stop_asked is None else time.monotonic() - self._stop_asked,
            step=run.step,
            of=run.of,
            speed=run.speed,
            seconds_left=run.seconds_left,
            best=run.best,
            resumable=run.resumable,
            message=core_text(run.message),
        )

    def _launch(self, packages: Sequence[str], start: Callable[[], Any]) -> None:
        self._stop_asked = None
        self._attempt(lambda: self._start_with(packages, start))
        self._installing = ""

    def _start_with(self, packages: Sequence[str], start: Callable[[], Any]) -> None:
        ensure_packages(self._requester, also=packages, tell=self._say_installing, translate=core_text)
        self.run = start()

    def _say_installing(self, name: str, number: int, of: int) -> None:
        self._installing = installing_text(name, number, of)
        self._on_installing()


def _options(chosen: Any) -> dict[str, Any]:
    """Return how a training is carried out; its Python is the one with the libraries of Slicer, where there is one."""
    minutes = chosen.trainingMinutes or None
    return {"device": chosen.trainingDevice, "minutes": minutes, "python": shutil.which("PythonSlicer")}
