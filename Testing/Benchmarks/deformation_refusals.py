"""How many draws of labeled cases are refused, and why.

    python Testing/Benchmarks/deformation_refusals.py FOLDER --cases 5 --draws 10

FOLDER holds labeled cases. The first --cases of them by name are drawn --draws times for each strength, plain and
symmetric. Prints the share of the draws that fail, and how many of them for each reason (a draw may have several).
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import torch

from DiffusionCore.deformation.strength import mean_displacement
from DiffusionCore.synthesis.inputs import find_subjects
from DiffusionCore.synthesis.reference import read_reference
from DiffusionCore.synthesis.settings import Limits, SynthesisSettings
from DiffusionCore.synthesis.synthesizer import SampleRefusedError, Synthesizer


def main() -> None:
    """Print a row for each kind of field and strength."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cases", type=int, default=5)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--strengths", type=float, nargs="+", default=[0.6, 1.0])
    parser.add_argument("--reference", type=Path, help="of the command reference")
    options = parser.parse_args()
    torch.set_num_threads(1)
    files = find_subjects(options.folder)[: options.cases]
    reference = None if options.reference is None else read_reference(options.reference)
    settings = SynthesisSettings(symmetry="on", reference=reference, limits=Limits(attempts=1))
    made = [Synthesizer(each.read(), settings) for each in files]
    for strength in options.strengths:
        for symmetry in ("off", "on"):
            reasons: Counter[str] = Counter()
            refused = 0
            for source in made:
                anatomy = source.anatomy
                plane = anatomy.plane if symmetry == "on" else None
                source.anatomy = replace(anatomy, wanted=mean_displacement(strength, anatomy.extent), plane=plane)
                for index in range(options.draws):
                    try:
                        source.variant(index)
                    except SampleRefusedError as error:
                        refused += 1
                        text = str(error).split("because ", 1)[1].split(". Choose")[0]
                        reasons.update({re.sub(r"[ \d.,]*\d.*", "", part) for part in text.split("; ")})
                source.anatomy = anatomy
            kind = "symmetric" if symmetry == "on" else "plain"
            total = len(made) * options.draws
            print(f"{kind} {strength:g}: {refused} of {total} refused; {dict(reasons)}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
