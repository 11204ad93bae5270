"""The labels of a job as files, for a segment that guides its deformation."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from DiffusionCore.checks import ConfigError
from DiffusionCore.jobs.specification import RegistrationJob, plain_settings


@contextmanager
def complete_settings(job: RegistrationJob) -> Iterator[dict[str, Any]]:
    """Yield the plain settings of ``job``; a guiding segment without files gets those of the labels of the job.

    The files are there as long as the block runs.

    Raises:
        ConfigError: there are no such labels.
        StorageError: the disk is full.
    """
    settings = plain_settings(job.settings)
    guidance = settings.get("guidance")
    segment = guidance.get("segment") if isinstance(guidance, dict) else None
    if not isinstance(segment, dict) or "fixed" in segment:  # what is none is refused with the other settings
        yield settings
        return
    if job.fixed_labels is None or job.moving_labels is None:
        raise ConfigError("A target segment needs the segmentations of both volumes.")
    from DiffusionCore.storage.volumes import write_volume  # brings SimpleITK, which no other worker waits for

    with tempfile.TemporaryDirectory(prefix="spatial-diffusion-labels-") as folder:
        for role, labels in (("fixed", job.fixed_labels), ("moving", job.moving_labels)):
            path = Path(folder) / f"{role}.nrrd"
            write_volume(path, labels)
            segment[role] = path.as_posix()
        yield settings
