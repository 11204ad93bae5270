"""``benchmark``: our registration and that of other tools on the same pairs, in one run."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from DiffusionCore.commands.arguments import add_output_argument, positive

_CONTRASTS = ["same", "inverted", "remapped"]  # of benchmark.contrasts, which needs torch


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the shell."""
    from DiffusionCore.benchmark.contestant import OURS

    parser = commands.add_parser(
        "benchmark",
        help="compare with other tools on pairs of images",
        description="Register every pair below a folder by every contestant, each in a process of its own on the same "
        "images, and score all transforms by the same code on the images as they lie there. A pair is a folder with "
        "the images fixed and moving, optional fixed_seg, moving_seg, landmarks.csv (fx ... mz, LPS mm), truth.h5 and "
        "pair.json. Writes page.md, dice-time.png and report.json, anew after every pair. What is not installed is "
        "noted.",
    )
    add = parser.add_argument
    add("--pairs", type=Path, required=True, metavar="DIR", help="where the pairs are, at any depth")
    add("--only", metavar="TEXT", help="only pairs whose path below DIR contains TEXT")
    default = "ours-affine,ours-fast,ours,ours-accurate"
    add("--ours", default=default, metavar="LIST", help=f"of {', '.join(OURS)} (default: %(default)s)")
    text = "other tools: greedy, ants, elastix, convexadam, one's -affine, greedy-ncc, convexadam-centers"
    add("--peers", default="", metavar="LIST", help=text)
    add("--spacing", type=float, metavar="MM", help="all contestants get images of this spacing (default: as they are)")
    text = "show the moving images to all contestants in another contrast (default: %(default)s)"
    add("--moving-contrast", choices=_CONTRASTS, default=_CONTRASTS[0], help=text)
    text = "rows of an earlier run (its report.json) that the page shows, too; those that are run anew replace them"
    add("--rows", type=Path, metavar="JSON", help=text)
    add("--note", action="append", default=[], metavar="TEXT", help="a line for the top of the page; may be repeated")
    add("--threads", type=positive, default=1, metavar="N", help="that each may use (default: %(default)s)")
    add("--minutes", type=positive, default=30, metavar="M", help="after which one is given up (default: %(default)s)")
    add("--peers-python", default=sys.executable, metavar="PYTHON", help="the interpreter that has the other tools")
    add_output_argument(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run all, and return 0, or 1 if a pair was not usable or a contestant that is installed failed."""
    from DiffusionCore.benchmark.cases import find_cases
    from DiffusionCore.benchmark.contestant import OURS
    from DiffusionCore.benchmark.contrasts import Contrast
    from DiffusionCore.benchmark.peers import PEERS
    from DiffusionCore.benchmark.race import Race
    from DiffusionCore.checks import ConfigError, StorageError

    contestants = list(dict.fromkeys([*_listed(options.ours), *_listed(options.peers)]))
    known = [*OURS, *PEERS]
    if unknown := [name for name in contestants if name not in known]:
        raise ConfigError(f"There is no contestant '{unknown[0]}'. There are: {', '.join(known)}.")
    if options.spacing is not None and not options.spacing > 0:
        raise ConfigError(f"--spacing needs mm above 0, got {options.spacing}.")
    cases = [case for case in find_cases(options.pairs) if not options.only or options.only in str(case.fixed.parent)]
    if not cases:
        raise StorageError(f"No pair below '{options.pairs}' has '{options.only}' in its path.")
    rows = {} if options.rows is None else {_key(row): row for row in _read(options.rows)}
    contrast = Contrast(options.moving_contrast)
    race = Race(options.spacing, contrast, options.threads, minutes=options.minutes, python=options.peers_python)
    new = []
    for number, case in enumerate(cases, 1):
        for row in race.run(case, contestants) if contestants else ():
            new.append(row)
            rows[_key(row)] = row
            sys.stderr.write(f"{number} of {len(cases)}: {case.data_set} {case.name}: {_summary(row)}\n")
        _write(options, sorted(rows.values(), key=lambda row: _place(row, known)))
    sys.stdout.write(f"Results: {options.output}\n")
    return int(any(row["status"] not in ("ok", "not installed") for row in new))


def _read(path: Path) -> list[dict]:
    import json

    from DiffusionCore.checks import StorageError

    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        for row in rows:
            _ = _key(row), row["status"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"'{path}' is no report.json of a benchmark: {error!r}.") from error
    return rows


def _key(row: dict) -> tuple:
    """Return what there is one row of."""
    return row["data_set"], row.get("contrast", "same"), row["spacing"] or 0, row["pair"], row["contestant"]


def _place(row: dict, known: list[str]) -> tuple:
    """Return where ``row`` stands: tables by what is compared, and in them ours before the peers."""
    data_set, contrast, *others, name = _key(row)
    return data_set, _CONTRASTS.index(contrast), *others, known.index(name) if name in known else len(known)


def _listed(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _summary(row: dict) -> str:
    if row["status"] != "ok":
        return f"{row['contestant']} {row['status']}"
    dice = "" if row["dice"] is None else f"Dice {row['dice']:.3f}, "
    return f"{row['contestant']} {dice}SD log J {row['log_deviation']:.3f}, {row['cpu']:.1f} CPU s"


def _write(options: argparse.Namespace, rows: list[dict]) -> None:
    import json

    from DiffusionCore.benchmark.contestant import OURS
    from DiffusionCore.benchmark.page import draw_picture, write_page
    from DiffusionCore.benchmark.peers import PEERS, described
    from DiffusionCore.commands.output import output_folder
    from DiffusionCore.report import versions

    names = dict.fromkeys(row["contestant"] for row in rows)
    loads = [row["load"] for row in rows if row.get("load") is not None]
    facts = [
        *options.note,
        *(f"`{name}`: `register {' '.join(OURS[name])}`" for name in names if name in OURS),
        *(f"`{name}`: {described(name)}" for name in names if name in PEERS),
        "Scored on the images as they lie there (labels by nearest neighbor), by the same code for all.",
        f"{options.threads} thread(s) each; time is that of the registration alone, memory the peak of its process.",
        "Versions: " + ", ".join(f"{name} {version}" for name, version in versions().items()),
    ]
    if loads:
        middle, most = sorted(loads)[len(loads) // 2], max(loads)
        cores = os.cpu_count()
        facts.append(
            f"{cores} cores; in the minute before a contestant {middle:.1f} processes ran (median), at most {most:.1f}."
        )
    with output_folder(options.output) as folder:
        name = "dice-time.png"
        picture = name if draw_picture(folder / name, rows) else None
        write_page(folder / "page.md", rows, title="Benchmark", facts=facts, picture=picture)
        (folder / "report.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
