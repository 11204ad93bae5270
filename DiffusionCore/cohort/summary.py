"""The summary of a cohort: a table, and a page to look through, the doubtful cases first; no torch."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

from DiffusionCore.cohort.cases import Failure
from DiffusionCore.cohort.folder import CASES, Record
from DiffusionCore.storage.files import replacing

TABLE, PAGE = "summary.csv", "summary.html"
_THUMBNAIL, _REPORT = "thumbnail.jpg", "report.json"
_STYLE = """
body { background: #101014; color: #e8e8ea; font: 14px system-ui, sans-serif; margin: 24px; }
a { color: #9ecbff; } .faint { color: #9a9aa2; } .bad { color: #ff9d8a; }
table { border-collapse: collapse; margin: 12px 0 28px; } td { padding: 3px 14px 3px 0; vertical-align: top; }
.cases { display: flex; flex-wrap: wrap; gap: 20px; align-items: flex-start; }
figure { margin: 0; width: max-content; max-width: 100%; } img { display: block; background: #000; }
figcaption { margin-top: 6px; width: 0; min-width: 100%; }
"""


def write_summary(
    cohort: Path,
    order: Sequence[str],
    found: dict[str, Record | Failure],
    *,
    title: str,
    doubt: Callable[[dict[str, float]], float],
) -> None:
    """Write the table and the page of the cases that are ``found`` by their names.

    Args:
        cohort: the folder.
        order: the names of all cases; those without a result are waiting.
        found: what became of them.
        title: of the page.
        doubt: by which the page sorts, greatest first: how doubtful a case with these measures is; those with cautions
            come before all others.
    """
    records = [each for name in order if isinstance(each := found.get(name), Record)]
    failures = [each for name in order if isinstance(each := found.get(name), Failure)]
    with replacing(cohort / TABLE) as unfinished:
        unfinished.write_text(_table(order, found, _titles(records)), encoding="utf-8")
    records.sort(key=lambda record: (bool(record.cautions), doubt(record.measures)), reverse=True)
    with replacing(cohort / PAGE) as unfinished:
        unfinished.write_text(_page(title, len(order), records, failures), encoding="utf-8")


def _titles(records: Sequence[Record]) -> list[str]:
    return list(dict.fromkeys(title for record in records for title in record.measures))


def _table(order: Sequence[str], found: dict[str, Record | Failure], titles: Sequence[str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["name", "status", *titles, "seconds", "host", "text"])
    for name in order:
        match found.get(name):
            case Record() as record:
                values = [f"{record.measures[title]:g}" if title in record.measures else "" for title in titles]
                cautions = " ".join(record.cautions)
                writer.writerow([name, "ok", *values, f"{record.seconds:g}", record.host, cautions])
            case Failure() as failure:
                writer.writerow([name, "failed", *[""] * len(titles), "", "", failure.text])
            case None:
                writer.writerow([name, "waiting", *[""] * len(titles), "", "", ""])
    return text.getvalue()


def _page(title: str, count: int, records: Sequence[Record], failures: Sequence[Failure]) -> str:
    waiting = count - len(records) - len(failures)
    numbers = [f"{len(records)} of {count} cases finished", f"{len(failures)} failed"]
    numbers += [f"{waiting} waiting"] if waiting else []
    lines = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>',
        f"<style>{_STYLE}</style></head><body><h1>{html.escape(title)}</h1>",
        f'<p>{", ".join(numbers)}. The numbers: <a href="{TABLE}">{TABLE}</a>.</p>',
    ]
    if failures:
        rows = (f"<tr><td>{html.escape(f.name)}</td><td>{html.escape(f.text)}</td></tr>" for f in failures)
        lines += ['<h2 class="bad">Failed</h2><table>', *rows, "</table>"]
    if records:
        lines += ['<h2>Finished, the doubtful ones first</h2><div class="cases">', *map(_figure, records), "</div>"]
    return "\n".join([*lines, "</body></html>", ""])


def _figure(record: Record) -> str:
    folder = f"{CASES}/{quote(record.name)}"
    numbers = ", ".join(f"{html.escape(title)} {value:.3g}" for title, value in record.measures.items())
    cautions = "".join(f'<br><span class="bad">{html.escape(caution)}</span>' for caution in record.cautions)
    return (
        f'<figure><a href="{folder}/"><img src="{folder}/{_THUMBNAIL}" loading="lazy" alt=""></a>'
        f'<figcaption><b>{html.escape(record.name)}</b> <span class="faint">{record.seconds:.1f} s</span><br>'
        f"{numbers}{cautions}</figcaption></figure>"
    )
