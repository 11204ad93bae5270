"""Do synthetic variants help a U-Net that has five labeled cases?

    python -m Testing.Benchmarks.few_shot --data FOLDER --unseen IMAGE ... --output DIR [--seeds 3] [--arms NAME ...]

FOLDER holds brains NAME.nii.gz with Neuromorphometrics labels NAME_seg.nii.gz. A seed chooses five of them and the
first weights; the rest, and the images named by --unseen (with labels beside them), are labeled by the trained network.
Every training leaves DIR/SEED-ARM.json, and is not done again; at the end DIR/few_shot.md has the tables. One thread.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from DiffusionCore.storage.files import replacing
from DiffusionCore.synthesis.inputs import SubjectFiles, find_subjects
from Testing.Benchmarks.few_shot.arms import arms
from Testing.Benchmarks.few_shot.cases import read_case
from Testing.Benchmarks.few_shot.experiment import run
from Testing.Benchmarks.few_shot.page import write_page
from Testing.Benchmarks.few_shot.plan import Plan


def main(arguments: list[str] | None = None, plan: Plan | None = None) -> None:
    """Do what the command line asks for; tests give a smaller ``plan``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--unseen", type=Path, nargs="*", default=[], metavar="IMAGE")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--arms", nargs="+", metavar="NAME", help="default: all")
    parser.add_argument("--model", metavar="NAME|PATH", help="of kind drdm: adds the arms with recovered fields")
    options = parser.parse_args(arguments)
    plan = plan or Plan()
    known = arms(plan, options.model)
    wanted = options.arms or list(known)
    if unknown := set(wanted) - set(known):
        parser.error(f"there is no arm {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    torch.set_num_threads(1)
    cases = [read_case(files, plan.spacing) for files in find_subjects(options.data)]
    unseen = [read_case(beside(image), plan.spacing) for image in options.unseen]
    options.output.mkdir(parents=True, exist_ok=True)
    for seed in range(options.seeds):
        for name in wanted:
            path = options.output / f"{seed}-{name.replace(' ', '')}.json"
            if path.exists():
                continue
            row = {"arm": name, **run(known[name], cases, unseen, plan, seed)}
            with replacing(path) as part:
                part.write_text(json.dumps(row, indent=1), encoding="utf-8")
            sys.stdout.write(f"{path.name}: {row['cpu_variants']} s, {row['cpu_training']} s\n")
            sys.stdout.flush()
    rows = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(options.output.glob("*.json"))]
    if any(row["plan"] != json.loads(json.dumps(asdict(plan))) for row in rows):
        parser.error(f"in {options.output} lie results of other settings; choose another folder")
    write_page(options.output / "few_shot.md", rows, list(known))


def beside(image: Path) -> SubjectFiles:
    """Return the files of the case whose first image is ``image``: its labels are NAME_seg beside it."""
    return SubjectFiles(
        f"{image.parent.name}/{image.name}", (image,), (image.with_name(image.name.replace(".nii", "_seg.nii")),)
    )


if __name__ == "__main__":
    main()
