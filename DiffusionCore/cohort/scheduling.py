"""Have cases made by Dask workers: processes of this machine, or whatever an existing scheduler has.

What goes wrong is counted here and not by the scheduler, so that no case answers for another one. An attempt that was
killed leaves its folder behind; a case fails when it has left more of them than it may be tried again. One that merely
waited on a worker that died has left none, and is handed in again.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from DiffusionCore.checks import ConfigError, DiffusionCoreError
from DiffusionCore.cohort.cases import Case, Failure, describe, make
from DiffusionCore.cohort.folder import Record, attempts

if TYPE_CHECKING:
    from distributed import Client, Future, Worker

_PATIENCE = 0.2  # seconds between looks at whether to stop
_CONNECTION = 15  # seconds for a scheduler to answer
_DEATHS = 10  # of workers, after which a case is given up even if it never began on one
_SILENT = {"DASK_LOGGING__DISTRIBUTED": "critical"}  # that a worker died is said here, once, and by its case


def require_dask() -> None:
    """Raise ModuleNotFoundError unless distributed, and with it Dask, is installed."""
    os.environ.update(_SILENT | os.environ)  # read on import, here and in the workers
    import distributed  # noqa: F401

    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # which has a level of its own


@contextmanager
def local_workers(count: int) -> Iterator[Client]:
    """Yield a client of ``count`` processes of one thread each, which share the memory and end with the block."""
    from dask import config
    from distributed import Client, LocalCluster

    settings = {
        "distributed.scheduler.allowed-failures": 0,  # see above
        "distributed.scheduler.worker-saturation": 1.0,  # nobody waits on a worker that may die
        "distributed.nanny.pre-spawn-environ.ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": 1,
    }
    with (
        config.set(settings),
        LocalCluster(count, threads_per_worker=1, memory_limit=1 / count, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        client.register_plugin(_deaf())
        yield client


@contextmanager
def workers_of(scheduler: str) -> Iterator[Client]:
    """Yield a client of an existing scheduler, given by its address or the file that it has written.

    Raises:
        DiffusionCoreError: no scheduler answers there.
    """
    from distributed import Client

    is_file = Path(scheduler).is_file()
    try:
        client = (
            Client(scheduler_file=scheduler, timeout=_CONNECTION) if is_file else Client(scheduler, timeout=_CONNECTION)
        )
    except (OSError, ValueError, TypeError) as error:
        raise DiffusionCoreError(
            f"No Dask scheduler answers at '{scheduler}' ({error}). Give its address, as tcp://HOST:8786, or "
            "the file of its --scheduler-file."
        ) from error
    with client:
        yield client


def results(
    client: Client,
    cohort: Path,
    cases: Sequence[Case],
    *,
    retries: int,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Record | Failure]:
    """Yield what becomes of each of ``cases``, as it is known; ends early when ``should_stop`` says so.

    Raises:
        ConfigError: the workers lack a package.
        DiffusionCoreError: the scheduler is gone.
    """
    from distributed import KilledWorker

    done: queue.SimpleQueue[Future] = queue.SimpleQueue()
    running: dict[Hashable, tuple[Future, Case]] = {}
    deaths: Counter[str] = Counter()

    def hand_in(case: Case) -> None:
        future = client.submit(make, cohort, case, retries=retries, pure=False)
        running[future.key] = future, case
        future.add_done_callback(done.put)

    for case in cases:
        hand_in(case)
    try:
        while running and not should_stop():
            try:
                future = done.get(timeout=_PATIENCE)
            except queue.Empty:
                continue
            _, case = running.pop(future.key)
            error = cast("BaseException", future.exception()) if future.status == "error" else None
            if future.status == "finished":
                yield future.result()
            elif isinstance(error, KilledWorker):
                deaths[case.name] += 1
                killed = attempts(cohort, case.name)
                if killed <= retries and deaths[case.name] <= _DEATHS:
                    hand_in(case)
                else:
                    yield Failure(case.name, _killed(killed))
            elif isinstance(error, ImportError):
                raise ConfigError(
                    f"The workers lack a package ({error}). Start them in the environment of this command."
                )
            elif error is not None:
                yield Failure(case.name, describe(error))
            else:
                raise DiffusionCoreError(
                    "The connection to the Dask scheduler was lost. Start it again; the same command goes on."
                )
    finally:
        client.cancel([future for future, _ in running.values()])


def _killed(times: int) -> str:
    how = "once" if times == 1 else f"{times} times"
    return f"Its worker was killed {how}, perhaps because the memory was full. Use fewer --workers, or smaller images."


def _deaf():
    """Return a plugin that keeps workers from hearing Ctrl-C, which the terminal sends to all: the command decides."""
    from distributed import WorkerPlugin

    class Deaf(WorkerPlugin):
        def setup(self, worker: Worker) -> None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    return Deaf()
