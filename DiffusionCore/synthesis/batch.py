"""A set of variants of several cases, made by several processes; a run that was stopped or killed goes on.

Variant ``index`` is one of case ``index modulo cases``, so a longer set begins like a shorter one.
"""

from __future__ import annotations

import functools
import hashlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.config import to_dict
from DiffusionCore.report import versions
from DiffusionCore.synthesis.inputs import SubjectFiles
from DiffusionCore.synthesis.labels import PARTS_RULE
from DiffusionCore.synthesis.layouts import LAYOUTS, Source
from DiffusionCore.synthesis.manifest import Manifest
from DiffusionCore.synthesis.settings import SynthesisSettings
from DiffusionCore.synthesis.synthesizer import SampleRefusedError, Synthesizer
from DiffusionCore.threads import WAITING

_HELD = 2  # cases that a process keeps in memory
_WORTH = 2**24  # voxels of variants; for fewer, another process would take longer to start than it saves


@dataclass(frozen=True)
class Order:
    """What to make.

    Attributes:
        subjects: the cases.
        output: folder of the set.
        settings: how variants are made.
        indices: of the variants, each at least 0.
        seed: of everything random.
        layout: a name in ``LAYOUTS``.
    """

    subjects: tuple[SubjectFiles, ...]
    output: Path
    settings: SynthesisSettings = field(default_factory=SynthesisSettings)
    indices: Sequence[int] = (0,)
    seed: int = 0
    layout: str = "nnunet"

    def made(self) -> dict[str, Any]:
        """Return what the variants depend on, as JSON knows it."""
        return {
            "seed": self.seed,
            "settings": to_dict(self.settings),
            "format": self.layout,
            "sources": [_fingerprint(files) for files in self.subjects],
        }


@dataclass(frozen=True)
class Outcome:
    """What a run came to: variants ``made`` now and ``before``, draws that were ``redrawn``, and who was ``refused``.

    ``refused`` has the text of every variant that no draw was good enough for; ``stopped`` says that it ended early.
    """

    made: int
    before: int
    redrawn: int
    refused: dict[int, str]
    stopped: bool
    manifest: Path


def make_set(
    order: Order,
    *,
    workers: int | None = None,
    on_sample: Callable[[dict[str, Any]], None] = lambda record: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Make the variants of ``order`` that are not there yet, and return what it came to.

    Args:
        order: what to make.
        workers: processes; by default as many as there are cores and work is worth. One is this process itself.
        on_sample: called with the record of every variant as it is finished.
        should_stop: asked after every variant; what is finished stays.

    Raises:
        DiffusionCoreError: a case cannot be read or deformed, the folder holds another set or cannot be written.
    """
    run = making(order, workers=workers, should_stop=should_stop)
    while True:
        try:
            record = next(run)
        except StopIteration as end:
            return end.value
        on_sample(record)


def making(
    order: Order, *, workers: int | None = None, should_stop: Callable[[], bool] = lambda: False
) -> Generator[dict[str, Any], None, Outcome]:
    """Do as ``make_set`` does, but yield the record of every variant as it is finished, and return the outcome."""
    made = order.made()
    sources, voxels = [], 0
    for number, files in enumerate(order.subjects):
        subject = files.read()
        sources.append(Source.of(number, subject))
        voxels = max(voxels, subject.images[0].values.size)
    layout = LAYOUTS[order.layout](order.output, sources)
    manifest = Manifest.opened(order.output, made)
    wanted = (n for n in order.indices if n not in manifest.samples)
    missing = sorted(wanted, key=lambda n: (n % len(order.subjects), n))
    refused, stopped = {}, False
    workers = workers or min(os.cpu_count() or 1, -(-voxels * len(missing) // _WORTH))
    workers = max(1, min(workers, len(missing)))
    for index, result in _results(order, made, sources, missing, workers):
        if isinstance(result, str):
            refused[index] = result
        else:
            manifest.samples[index] = result
            yield result
        if stopped := should_stop():
            break
    layout.finish(len(manifest.samples))
    redrawn = sum(len(record["redrawn"]) for record in manifest.samples.values())
    path = manifest.join(
        redrawn=redrawn,
        refused={str(n): text for n, text in refused.items()},
        parts_rule=PARTS_RULE,
        versions=versions(),
    )
    count = len(missing) - len(refused) if not stopped else sum(n in manifest.samples for n in missing)
    return Outcome(count, len(order.indices) - len(missing), redrawn, refused, stopped, path)


def _results(
    order: Order, made: dict[str, Any], sources: Sequence[Source], missing: Sequence[int], workers: int
) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Yield (index, record, or why it was refused) as they are finished; one worker is this process itself."""
    if workers == 1:
        maker = _Maker(order, made, sources)
        yield from ((index, maker.make(index)) for index in missing)
        return
    os.environ.update(WAITING | os.environ)  # before torch is loaded there
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _begin, (order, made, tuple(sources))) as pool:
        running: dict[Future, int] = {}
        ahead = iter(missing)
        try:
            while True:
                for index in ahead:
                    running[pool.submit(_make, index)] = index
                    if len(running) >= 2 * workers:
                        break
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    index = running.pop(future)
                    yield index, future.result()
        except BrokenProcessPool as error:
            raise DiffusionCoreError(
                "A process that makes variants was killed, perhaps because the memory was full. The same command goes "
                "on; use fewer --workers."
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


class _Maker:
    """Makes variants of an order and writes them, in whatever process it is."""

    def __init__(self, order: Order, made: dict[str, Any], sources: Sequence[Source]) -> None:
        self._order = order
        self._made = made
        self._layout = LAYOUTS[order.layout](order.output, sources)
        self._synthesizer = functools.lru_cache(_HELD)(self._prepared)

    def make(self, index: int) -> dict[str, Any] | str:
        """Return the record of variant ``index`` after it was written, or why it was refused."""
        source = self._layout.sources[index % len(self._order.subjects)]
        try:
            sample = self._layout.draw(self._synthesizer(source.number), index, self._order.seed)
        except SampleRefusedError as error:
            return str(error)
        record = {
            "index": index,
            "source": source.name,
            "files": self._layout.write(sample, source),
            **sample.checks.summary(),
            "redrawn": list(sample.redrawn),
        }
        Manifest.record(self._order.output, self._made, record)
        return record

    def _prepared(self, number: int) -> Synthesizer:
        return Synthesizer(self._order.subjects[number].read(), self._order.settings)


_maker: _Maker | None = None


def _begin(order: Order, made: dict[str, Any], sources: Sequence[Source]) -> None:
    """Prepare a worker: one thread, deaf to Ctrl-C (the parent decides), gone when the parent is."""
    import torch

    global _maker
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _maker = _Maker(order, made, sources)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _make(index: int) -> dict[str, Any] | str:
    assert _maker is not None  # the pool has called _begin
    return _maker.make(index)


def _fingerprint(files: SubjectFiles) -> dict[str, Any]:
    """Return the name of a case, and of each of its files the name and the beginning of the SHA-256 of its content."""
    paths = (*files.images, *files.segmentations, *([files.landmarks] if files.landmarks else []))
    for path in paths:
        if not path.is_file():
            files.read()  # says what is wrong
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in paths}
    return {"name": files.name, "files": hashes}
