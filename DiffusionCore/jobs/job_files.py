"""A job in the folder of its run: one file of JSON, and one for each image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DiffusionCore.jobs.messages import decode, encode, parse
from DiffusionCore.jobs.sharing import JOB, array_path, writing
from DiffusionCore.jobs.specification import RegistrationJob, plain_settings
from DiffusionCore.jobs.synthesis_jobs import ExportJob, SceneCase, SynthesisJob

Job = RegistrationJob | SynthesisJob | ExportJob


def needed_bytes(job: Job) -> int:
    """Return about how much room a run of ``job`` takes in its folder: its images, its results and some fields."""
    match job:
        case RegistrationJob():
            volumes = (job.fixed, job.moving, job.fixed_labels, job.moving_labels)
            inputs = sum(volume.values.nbytes for volume in volumes if volume is not None)
            return 2 * inputs + 3 * 12 * job.fixed.values.size
        case SynthesisJob(source=SceneCase() as case):
            return case.image.values.nbytes + case.labels.values.nbytes
    return 0


def write_job(job: Job, folder: Path) -> Iterator[None]:
    """Write ``job`` into ``folder``, its small part first, its arrays slab by slab: one for each ``next``.

    Raises:
        OSError: the disk is full, or the folder is gone.
        ConfigError: the settings hold something that has no JSON form.
        TypeError: an image is made of something else than numbers.
    """
    if not isinstance(job, ExportJob):
        job = replace(job, settings=plain_settings(job.settings))
    arrays: list[NDArray] = []

    def place(array: NDArray) -> dict[str, Any]:
        arrays.append(array)
        return {"file": f"input-{len(arrays) - 1}"}

    (folder / JOB).write_text(encode(job, place), encoding="utf-8")
    yield
    for number, array in enumerate(arrays):
        yield from writing(array_path(folder, f"input-{number}"), array)


def read_job(folder: Path) -> Job:
    """Return the job that ``write_job`` wrote; its arrays are maps of their files, and private.

    Raises:
        OSError, MessageError: it is not all there.
    """

    def load(reference: dict[str, Any]) -> NDArray:
        path, dtype = array_path(folder, reference["file"]), np.dtype(reference["dtype"])
        return np.memmap(path, dtype, mode="c", shape=tuple(reference["shape"])).view(np.ndarray)

    return decode(parse((folder / JOB).read_text(encoding="utf-8")), load)


def kind_of_job(folder: Path) -> str:
    """Return the name of the class of the job in ``folder``, whose arrays need not be there yet.

    Raises:
        OSError, MessageError: there is none.
    """
    return parse((folder / JOB).read_text(encoding="utf-8"))["@"]
