"""One contestant and one pair, in a process of its own: what it costs is then its own, and a crash ends nothing else.

    python -m DiffusionCore.benchmark.contestant NAME FIXED MOVING FOLDER --threads N [--device D] [--other-contrast]

Writes ``transform.h5`` (fixed to moving points) and ``cost.json`` into FOLDER. Ours run by the settings of the shell.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

OURS = {
    "ours-affine": ("--method", "affine"),
    "ours-fast": ("--method", "deformable", "--preset", "fast"),
    "ours": ("--method", "deformable"),
    "ours-correlation": ("--method", "deformable", "--measure", "local-correlation"),
    "ours-mind": ("--method", "deformable", "--measure", "mind"),
    "ours-learned": ("--preset", "none", "--learned", "voxelmorph"),
    "ours-learned-correlation": ("--method", "deformable", "--learned", "voxelmorph", "--measure", "local-correlation"),
    "ours-learned-mind": ("--method", "deformable", "--learned", "voxelmorph", "--measure", "mind"),
    "ours-accurate": ("--method", "deformable", "--preset", "accurate"),
}
"""Name -> options of the command ``register``."""
TRANSFORM, COST = "transform.h5", "cost.json"
NOT_INSTALLED = 3


def main(arguments: list[str]) -> int:
    """Run the contestant; return 0, or NOT_INSTALLED if its package is missing."""
    parser = argparse.ArgumentParser(prog="contestant")
    parser.add_argument("name")
    for path in ("fixed", "moving", "folder"):
        parser.add_argument(path, type=Path)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--device", default="auto", help="of ours")
    parser.add_argument("--other-contrast", action="store_true")
    options = parser.parse_args(arguments)
    try:
        return _run(options)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("DiffusionCore"):
            raise
        sys.stderr.write(f"The package '{error.name}' is not installed.\n")
        return NOT_INSTALLED


def _run(options: argparse.Namespace) -> int:
    import torch

    from DiffusionCore.benchmark.cost import Cost, held_memory, peak_memory
    from DiffusionCore.benchmark.peers import PEERS, Task
    from DiffusionCore.storage.transforms import write_transform
    from DiffusionCore.storage.volumes import read_volume

    torch.set_num_threads(options.threads)
    cost, held = Cost(), held_memory()
    if options.name in OURS:
        transform = _ours(options, cost)
    else:
        task = Task(options.fixed, options.moving, options.folder, options.other_contrast, options.threads)
        transform = PEERS[options.name][0](task, cost)
    write_transform(options.folder / TRANSFORM, transform, read_volume(options.fixed).grid)
    values = {"wall": cost.wall, "cpu": cost.cpu, "memory_before": held, "memory_peak": peak_memory()}
    (options.folder / COST).write_text(json.dumps(values) + "\n", encoding="utf-8")
    return 0


def _ours(options: argparse.Namespace, cost):
    from DiffusionCore.commands.arguments import add_run_arguments
    from DiffusionCore.commands.settings import settings_from
    from DiffusionCore.registration import register
    from DiffusionCore.storage.volumes import read_volume

    parser = argparse.ArgumentParser()
    add_run_arguments(parser)
    settings = settings_from(parser.parse_args(OURS[options.name]))
    fixed, moving = read_volume(options.fixed), read_volume(options.moving)
    with cost:
        return register(fixed, moving, settings, device=options.device).transform


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
