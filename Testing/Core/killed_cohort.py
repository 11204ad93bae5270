"""Make a large cohort of small cases, some of them corrupt, and kill a worker: prints what came of it as JSON.

    python Testing/Core/killed_cohort.py FOLDER [CASES] [CORRUPT]

Then the same command is given again.
"""

import json
import sys
import time
from pathlib import Path

from cohort_world import Cohort, caught, fill, write_cohort


def main(folder: Path, count: int, corrupt: int) -> None:
    bad = [number * count // corrupt + 1 for number in range(corrupt)]
    victim = next(number for number in range(count // 2, count) if number not in bad)
    folder.mkdir(parents=True, exist_ok=True)
    cases = write_cohort(folder / "cases", count, corrupt=bad, held=(victim,))
    began = time.perf_counter()
    cohort = Cohort(cases, folder / "cohort", "--workers", 2)
    with caught(cases.parent, victim):
        fill(cases.parent, victim)
        killed = cohort.kill_over(f"case_{victim:03d}", 1)
    first, said = cohort.end()
    seconds = round(time.perf_counter() - began, 1)
    rows, results = cohort.rows(), cohort.results()
    stamps = cohort.stamps(results)
    began = time.perf_counter()
    again, told = Cohort(cases, folder / "cohort", "--workers", 2).end()
    failed = [name for name, row in rows.items() if row["status"] == "failed"]
    found = {
        "cases": count,
        "workers killed": killed,
        "results": len(results),
        "variants of each": sorted(set(cohort.variants().values())),
        "errors": len(failed),
        "errors are those of the corrupt": failed == [f"case_{number:03d}" for number in bad],
        "errors name the file": all("torn.nii.gz" in rows[name]["text"] for name in failed),
        "one result per row": results == [name for name, row in rows.items() if row["status"] == "ok"],
        "the one whose worker was killed": rows[f"case_{victim:03d}"]["status"],
        "left over": [path.name for path in folder.glob("cohort/unfinished/*")],
        "exit codes": [first, again],
        "tracebacks": said.count("Traceback") + told.count("Traceback"),
        "restart changed no file": stamps == cohort.stamps(results),
        "restart said": next(line for line in told.splitlines() if " cases: " in line).split(". ")[0],
        "seconds": [seconds, round(time.perf_counter() - began, 1)],
    }
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[2:]]
    main(Path(sys.argv[1]), *(given + [200, 5][len(given) :]))
