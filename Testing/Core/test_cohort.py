"""Cohorts, but for their workers: what a case is, which cases there are, and what is kept of them."""

import argparse
import csv
import dataclasses
import json
import os
import sys

import pytest
from cohort_world import command, write_cohort, write_list
from shell_world import script, world  # noqa: F401

from DiffusionCore.__main__ import _parse, main
from DiffusionCore.checks import DiffusionCoreError, StorageError
from DiffusionCore.cohort.cases import Case, Failure, finished, make
from DiffusionCore.cohort.folder import CohortFolder, Record, attempt, attempts, read_record
from DiffusionCore.cohort.summary import write_summary
from DiffusionCore.storage.tables import Listed


@pytest.fixture
def cohort(tmp_path):
    """Give the folder of a cohort that is being made."""
    with CohortFolder(tmp_path / "cohort", {"command": "register", "seed": 0}) as folder:
        yield folder.path


def pair_of(world, name="a", options=(), **more):  # noqa: F811
    cells = {"fixed": "fixed.nii.gz", "moving": "moving.nii.gz", **more}
    words = ["cohort", "register", "list", "--output", "out", "--method", "affine", *options]
    return Case("register", Listed(name, cells, {k: world.folder / v for k, v in cells.items()}), _parse(words))


def record_of(name, **measures):
    return Record(name, {}, measures, (), 1.5, "host")


def test_a_case_is_what_the_command_makes(world, script, cohort):  # noqa: F811
    labels = {"fixed_segmentation": "fixed_labels.nii.gz", "moving_segmentation": "moving_labels.nii.gz"}
    record = make(cohort, pair_of(world, options=["--seed", "3"], **labels))
    given = [word for key, name in labels.items() for word in (f"--{key.replace('_', '-')}", world.folder / name)]
    assert world.register("--method", "affine", "--seed", "3", *given) == 0
    made, alone = (json.loads((place / "report.json").read_text()) for place in (cohort / "cases" / "a", world.output))
    for report in (made, alone):
        del report["seconds"]
    assert {"thumbnail.jpg", *alone["files"]} == set(made.pop("files"))
    assert made == {key: value for key, value in alone.items() if key != "files"}
    assert record.measures["Dice after"] == made["metrics"]["after"]["mean_dice"]
    assert read_record(cohort, "a") == record
    assert attempts(cohort, "a") == 0


def test_landmarks_guide_a_case_as_they_guide_the_command(world, script, cohort):  # noqa: F811
    (world.folder / "l.csv").write_text("fx,fy,fz,mx,my,mz\n-5,-10,3,-8,-11,2\n")
    case = pair_of(world, landmarks="l.csv")
    case.options.method = "deformable"
    assert isinstance(make(cohort, case), Record)
    assert len(script.calls[-1].settings.guidance.landmarks.pairs) == 1


def test_of_two_attempts_at_a_case_one_result_is_kept(cohort):
    with attempt(cohort, "a") as (first, publish_first), attempt(cohort, "a") as (second, publish_second):
        (first / "result").write_text("first")
        (second / "result").write_text("second")
        assert attempts(cohort, "a") == 2
        winner = publish_second(record_of("a", x=2.0))
        assert publish_first(record_of("a", x=1.0)) == winner
    assert (cohort / "cases" / "a" / "result").read_text() == "second"
    assert [path.name for path in (cohort / "cases").iterdir()] == ["a"]
    assert attempts(cohort, "a") == 0


def test_an_attempt_that_fails_leaves_nothing(world, cohort):  # noqa: F811
    (world.folder / "torn.nii.gz").write_bytes(world.fixed.read_bytes()[:200])
    failure = make(cohort, pair_of(world, moving="torn.nii.gz"))
    assert isinstance(failure, Failure)
    assert "torn.nii.gz' cannot be read" in failure.text
    assert attempts(cohort, "a") == 0
    assert not list((cohort / "cases").iterdir())


def test_only_what_another_try_may_mend_is_raised(world, cohort, monkeypatch):  # noqa: F811
    def fails(error):
        def write(*_, **__):
            raise error

        monkeypatch.setattr("DiffusionCore.cohort.kinds.write_outcome", write)
        return make(cohort, pair_of(world, options=["--model", "none"]))

    monkeypatch.setattr("DiffusionCore.cohort.kinds.draw_registration", lambda *_: None)
    monkeypatch.setattr("DiffusionCore.cohort.kinds.run_silently", lambda *_: argparse.Namespace(
        report={}, registration=argparse.Namespace(transform=None)
    ))  # fmt: skip
    for error in (OSError(28, "No space left on device"), MemoryError()):
        with pytest.raises(type(error)):
            fails(error)
    wrapped = StorageError("Cannot write it.")
    wrapped.__cause__ = OSError(5, "Input/output error")
    with pytest.raises(StorageError):
        fails(wrapped)
    assert fails(StorageError("It is damaged.")).text == "It is damaged."
    assert "Unexpected ZeroDivisionError" in fails(ZeroDivisionError("1 / 0")).text


def test_workers_that_do_not_see_the_folder_say_so(tmp_path, world):  # noqa: F811
    failure = make(tmp_path / "elsewhere", pair_of(world))
    assert "no folder of a cohort on the machine" in failure.text
    assert not (tmp_path / "elsewhere").exists()


def test_a_result_from_other_inputs_is_not_taken_for_the_case(world, cohort, script):  # noqa: F811
    make(cohort, pair_of(world))
    assert isinstance(finished(cohort, pair_of(world)), Record)
    assert "made from other inputs (moving)" in finished(cohort, pair_of(world, moving="fixed.nii.gz")).text
    (cohort / "cases" / "b").mkdir()
    assert "Move it away" in finished(cohort, pair_of(world, name="b")).text


def test_a_cohort_is_made_by_one_command_at_a_time_and_by_the_same_settings(tmp_path):
    with CohortFolder(tmp_path, {"seed": 0, "model": "a"}), pytest.raises(DiffusionCoreError, match="Another process"):
        CohortFolder(tmp_path, {"seed": 0, "model": "a"}).__enter__()
    with pytest.raises(StorageError, match=r"made otherwise \(model\)"):
        CohortFolder(tmp_path, {"seed": 0, "model": "b"}).__enter__()
    left = tmp_path / "unfinished" / "a" / "host-1-x"
    left.mkdir(parents=True)
    with CohortFolder(tmp_path, {"seed": 0, "model": "a"}):
        assert not left.exists()


def test_the_summary_begins_with_the_doubtful_and_shows_any_name(cohort):
    names = ["<a>", "b", "c", "d", "e"]
    cautioned = dataclasses.replace(record_of("e", x=1.0), cautions=("Look.",))
    found = {
        "<a>": record_of("<a>", x=2.0),
        "b": record_of("b", x=3.0),
        "e": cautioned,
        "c": Failure("c", "It is <damaged>."),
    }
    write_summary(cohort, names, found, title="T", doubt=lambda measures: measures["x"])
    rows = list(csv.DictReader((cohort / "summary.csv").read_text().splitlines()))
    assert [(row["name"], row["status"], row["x"]) for row in rows] == [
        ("<a>", "ok", "2"),
        ("b", "ok", "3"),
        ("c", "failed", ""),
        ("d", "waiting", ""),
        ("e", "ok", "1"),
    ]
    page = (cohort / "summary.html").read_text()
    assert page.index("Look.") < page.index("<b>b</b>") < page.index("<b>&lt;a&gt;</b>")
    assert 'src="cases/%3Ca%3E/thumbnail.jpg"' in page
    assert "It is &lt;damaged&gt;." in page
    assert "3 of 5 cases finished, 1 failed, 1 waiting" in page


def test_bad_rows_are_failures_and_nobody_is_started_for_them(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    rows = [{"name": "a", "label": "l.nii.gz"}, {"name": "../b", "image": "i"}, {"image": "i", "seed": "-1"}]
    assert main(command(write_list(tmp_path / "in" / "cases.csv", rows), tmp_path / "out")) == 1
    said = capsys.readouterr()
    assert "error: a: Row 1 of" in said.err
    assert "has no image" in said.err
    assert "error: row 2: The name '../b'" in said.err
    assert "error: case_003: In the column seed a whole number" in said.err
    assert "3 cases: 0 made, 0 were there, 3 failed." in said.out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--displacement", "-1"], "The settings are refused"),
        (["--model", "nobody"], "no model 'nobody'"),
        (["--retries", "x"], "a whole number"),
        (["--scheduler", "tcp://a:1", "--workers", "2"], "not allowed with"),
    ],
)
def test_settings_that_suit_no_case_are_refused_before_anything_is_made(tmp_path, capsys, change, said):
    assert main([*command(write_cohort(tmp_path / "in", 1), tmp_path / "out"), *change]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_who_lacks_dask_is_told_what_to_install(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(command(write_cohort(tmp_path / "in", 1), tmp_path / "out")) == 2
    assert (
        "the package 'distributed' is needed for this. Install it: pip install distributed" in capsys.readouterr().err
    )
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(command(write_cohort(tmp_path / "in", 1), tmp_path / "file" / "out")) == 2
    assert "No cohort can be kept in" in capsys.readouterr().err
    assert os.listdir(tmp_path / "in")
