"""The benchmarks: a page, figures and a list of ratios, whatever is missing, fails or is stopped."""

import json
import re

import pytest
import torch

from Testing.Benchmarks.page import even_from
from Testing.Benchmarks.race import Row
from Testing.Benchmarks.run import main

TINY = {"tiny": "tiny_suite"}


def ran(folder, *more):
    code = main(["--output", str(folder), "--rounds", "2", *more], TINY)
    rows = json.loads((folder / "benchmarks.json").read_text(encoding="utf-8"))
    return code, rows, (folder / "benchmarks.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "new"
    return folder, *ran(folder, "--threads", "1", "2")


def test_the_list_has_a_row_for_each_contestant_of_each_race(stopped):
    _, _, rows, _ = stopped
    adding = [row for row in rows if row["benchmark"] == "adding"]
    assert len(adding) == 2 * 2 * 3
    assert {"suite", "benchmark", "size", "threads", "device", "peer", "ratio", "spread"} <= set(adding[0])
    assert all(row["ratio"] == 1 for row in adding if row["peer"] == "ours")
    assert all(row["ratio"] > 1 for row in adding if row["peer"] == "slow | peer")


def test_the_page_has_a_line_for_each_race_and_says_what_is_not_there(stopped):
    _, _, _, page = stopped
    lines = [line for line in page.splitlines() if line.startswith("| 2000 numbers")]
    assert [line.split(" | ")[1] for line in lines] == ["1", "2"]
    assert all(line.count("|") == 6 and line.endswith("; Dice .50 |") for line in lines)
    assert "absent (pip install absent)" in page
    assert "failing, 1 number, 2 thread(s): broken: RuntimeError: out of memory" in page


def test_kernels_pay_from_the_first_size_on_behind_the_last_one_where_they_are_slower():
    def curve(*ratios, threads=1):
        return [
            Row("warp", str(n), threads, "cpu", peer, ratio, 0.0, 1.0, "voxels", n)
            for n, ratio in zip((8, 4, 16), ratios, strict=True)
            for peer in ("ours", "torch")
        ]

    assert even_from(curve(0.9, 1.2, 0.96)) == ["warp, 1 thread(s): not slower than torch from 16 on"]
    assert even_from(curve(1.0, 1.2, 3.0)) == ["warp, 1 thread(s): not slower than torch from 4 on"]
    lines = even_from(curve(2.0, 2.0, 0.5) + curve(2.0, 0.5, 2.0, threads=2))
    assert lines[0].endswith("at none of these sizes")
    assert lines[1].endswith("2 thread(s): not slower than torch from 8 on")
    assert even_from([]) == []


def test_ctrl_c_keeps_what_there_is(stopped):
    folder, code, rows, page = stopped
    assert code == 130
    assert "Stopped before all was done" in page
    assert [row["peer"] for row in rows if row["benchmark"] == "failing"] == ["ours", "ours"]
    assert {path.name for path in folder.iterdir()} == {
        "benchmarks.json",
        "benchmarks.md",
        "tiny.png",
        "tiny-curves.png",
        "tiny-threads.png",
    }


def test_the_page_shows_the_figures_that_were_drawn(stopped):
    folder, _, _, page = stopped
    shown = re.findall(r"!\[.+?\]\((.+?)\)", page)
    assert sorted(shown) == ["tiny-curves.png", "tiny-threads.png", "tiny.png"]
    assert all((folder / name).read_bytes().startswith(b"\x89PNG") for name in shown)


def test_torch_has_as_many_threads_afterwards_as_before(tmp_path):
    before = torch.get_num_threads()
    ran(tmp_path, "--threads", str(before + 1), "--only", "nothing")
    assert torch.get_num_threads() == before


def test_what_fails_ends_nothing_else_but_the_exit_code_tells(tmp_path):
    code, rows, page = ran(tmp_path, "--only", "failing", "adding", "--without", "other")
    assert code == 1
    assert {row["peer"] for row in rows} == {"ours", "slow | peer"}
    assert "broken: RuntimeError: out of memory" in page
    assert "Stopped" not in page


def test_a_word_that_no_benchmark_begins_with_is_told_with_those_that_there_are(tmp_path, capsys):
    assert ran(tmp_path, "--only", "subtracting")[:2] == (0, [])
    assert "there are: adding, failing" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["kernel"], "no suite kernel; there are: tiny"),
        (["--device", "cuda:99"], "no device 'cuda:99' here; there are: cpu"),
        (["--rounds", "1"], "two or more"),
        (["--sizes", "64x64"], "expected 64 or 160x192x224, got '64x64'"),
        (["--threads", "0"], "above 0, got '0'"),
        (["--data", "nowhere"], "no 'nowhere'"),
        (["--output", "."], "not an empty folder"),
    ],
)
def test_what_there_is_not_is_told_with_what_there_is(arguments, words, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--output", str(tmp_path), *arguments], TINY)
    assert ended.value.code == 2
    assert words in " ".join(capsys.readouterr().err.split())
