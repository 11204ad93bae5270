"""The commands of the shell, run in this process with a registration that follows a script."""

import csv
import json
import signal
import subprocess
import sys

import numpy as np
import pytest
import shell_world
import SimpleITK as sitk
import torch
from shell_world import FIXED_GRID, PHASES, TRUTH, script, world  # noqa: F401

from DiffusionCore.__main__ import main
from DiffusionCore.commands import register as register_command
from DiffusionCore.commands import running
from DiffusionCore.metrics import point_error
from DiffusionCore.space import Frame
from DiffusionCore.storage.checkpoint import Checkpoint, save_checkpoint
from DiffusionCore.storage.transforms import read_transform
from DiffusionCore.storage.volumes import read_volume


def test_help_needs_no_torch():
    code = "import sys; from DiffusionCore.__main__ import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    heavy = "print(sorted({'torch', 'numpy', 'SimpleITK', 'matplotlib', 'tqdm'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code + heavy], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(name in done.stdout for name in ("register", "sample", "evaluate", "models", "train"))


@pytest.mark.parametrize("command", ["register", "evaluate", "benchmark", "sample", "train", "models"])
def test_no_help_shows_a_doubled_percent_sign(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert "%%" not in capsys.readouterr().out


@pytest.mark.usefixtures("script")
def test_register_writes_transform_image_labels_report_and_picture(world):  # noqa: F811
    labels = ["--fixed-segmentation", world.fixed_labels, "--moving-segmentation", world.moving_labels]
    assert world.register(*labels) == 0
    names = {item.name for item in world.output.iterdir()}
    assert names == {"transform.h5", "warped.nii.gz", "warped_segmentation.nii.gz", "report.json", "film-strip.png"}
    assert torch.allclose(read_transform(world.output / "transform.h5").matrix, TRUTH.matrix, atol=1e-9)
    warped, moving = read_volume(world.output / "warped.nii.gz"), read_volume(world.moving)
    assert warped.grid.is_close(FIXED_GRID)
    assert warped.values.dtype == moving.values.dtype
    assert abs(warped.values.max() - moving.values.max()) < 30
    assert set(np.unique(read_volume(world.output / "warped_segmentation.nii.gz").values)) == {0, 1, 2}
    report = json.loads((world.output / "report.json").read_text())
    before, after = report["metrics"]["before"], report["metrics"]["after"]
    assert after["mutual_information"] > 1.5 * before["mutual_information"]
    assert after["mean_dice"] > 0.8 > before["mean_dice"]
    assert set(after["dice"]) == {"1", "2"}
    assert report["jacobian"]["minimum"] == pytest.approx(np.linalg.det(TRUTH.matrix[:3, :3].numpy()), rel=1e-3)
    assert report["jacobian"]["gradient_rms"] == report["jacobian"]["inverse_consistency_mm"] == 0
    assert after["local_correlation"] > before["local_correlation"]
    assert report["seconds"]["polish"] == 0.3
    assert report["steps"] == len(PHASES)
    assert set(report["files"]) == names
    assert torch.__version__.startswith(report["versions"]["torch"].split("+")[0])


def test_register_without_a_script_finds_the_answer_twice_the_same(world):  # noqa: F811
    found = []
    for _ in range(2):
        assert world.register("--method", "affine", "--model", "none", "--device", "cpu") == 0
        found.append(read_transform(world.output / "transform.h5"))
    assert torch.equal(found[0].matrix, found[1].matrix)
    near = np.random.default_rng(0).uniform(-0.4, 0.4, (200, 3))
    inside = torch.from_numpy(FIXED_GRID.map(near, Frame.UNIT, Frame.RAS))
    assert point_error(found[0], TRUTH, inside).mean() < 2.0


@pytest.mark.usefixtures("script")
def test_the_written_transform_resamples_in_itk_to_the_written_image(world):  # noqa: F811
    assert world.register() == 0
    fixed, moving = (sitk.ReadImage(str(path)) for path in (world.fixed, world.moving))
    transform = sitk.ReadTransform(str(world.output / "transform.h5"))
    expected = sitk.GetArrayFromImage(sitk.Resample(moving, fixed, transform, sitk.sitkLinear, 0.0))
    assert abs(expected - sitk.GetArrayFromImage(sitk.ReadImage(str(world.output / "warped.nii.gz")))).max() <= 1


def test_the_settings_reach_the_registration(world, script):  # noqa: F811
    more = ["--group", "rigid", "--seed", 7, "--device", "cpu", "--initial-transform", world.folder / "truth.h5"]
    assert world.register(*more) == 0
    call = script.calls[0]
    assert (call.settings.polish.group.name, call.seed, call.device) == ("RIGID", 7, "cpu")
    assert torch.allclose(call.initial.matrix, TRUTH.matrix)


@pytest.mark.usefixtures("script")
def test_kept_steps_are_the_trajectory(world):  # noqa: F811
    assert world.register("--keep-steps") == 0
    rows = json.loads((world.output / "steps" / "steps.json").read_text())
    assert [(row["phase"], row["time"]) for row in rows] == [(phase, time) for phase, time, _ in PHASES]
    last = read_transform(world.output / "steps" / rows[-1]["file"])
    assert torch.allclose(last.matrix, TRUTH.matrix, atol=1e-9)
    assert world.register("--keep-steps") == 0, "a second run replaces the first"


def test_ctrl_c_keeps_the_last_step(world, script, capsys):  # noqa: F811
    script.after = lambda step: signal.raise_signal(signal.SIGINT) if step.index == 1 else None
    before = signal.getsignal(signal.SIGINT)
    assert world.register("--keep-steps") == 130
    assert signal.getsignal(signal.SIGINT) is before
    assert "Stopped early, after step 1" in capsys.readouterr().err
    report = json.loads((world.output / "report.json").read_text())
    assert report["stopped_early"] is True
    assert report["steps"] == 2
    assert (world.output / "warped.nii.gz").exists()


@pytest.mark.usefixtures("script")
def test_a_line_says_that_no_pose_was_safe(world, capsys, monkeypatch):  # noqa: F811
    assert world.register() == 0
    assert "Caution" not in capsys.readouterr().err
    monkeypatch.setattr(shell_world, "PHASES", (("center", 1.0, 0.0), ("caution", 0.0, 0.1)))
    assert world.register() == 0
    assert "Caution: No pose fits clearly better than all others" in capsys.readouterr().err
    assert len(json.loads((world.output / "report.json").read_text())["cautions"]) == 1


@pytest.fixture
def usual_ctrl_c():
    """Let Ctrl-C interrupt, as it does in a terminal: what is started in the background may ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("usual_ctrl_c")
def test_a_second_ctrl_c_gives_up_and_leaves_nothing(world, script, capsys):  # noqa: F811
    def twice(step):
        if step.index == 1:
            for _ in range(2):
                signal.raise_signal(signal.SIGINT)  # to this thread: two that are sent to the process may become one

    script.after = twice
    assert world.register() == 130
    assert not world.output.exists()
    assert "nothing was written" in capsys.readouterr().err


@pytest.mark.usefixtures("script")
def test_progress_goes_to_stderr_and_names_every_phase(world, capsys):  # noqa: F811
    assert world.register() == 0
    shown = capsys.readouterr()
    assert all(phase in shown.err for phase, _, _ in PHASES)
    assert "mutual information" in shown.out
    assert "step" not in shown.out.replace("4 steps in", "")


def test_without_pillow_a_line_says_so(world, script, monkeypatch, caplog):  # noqa: F811
    monkeypatch.setattr(running, "draw_film_strip", script.draw)
    for name in [name for name in sys.modules if name.split(".")[0] == "PIL"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert world.register() == 0
    assert "pillow" in caplog.text
    assert not (world.output / "film-strip.png").exists()


def test_a_training_gets_its_settings_and_stops_when_its_time_is_over(tmp_path, monkeypatch, capsys):
    asked = []

    def train(recipe, output, settings, *, should_stop, on_log, **others):
        on_log({"step": 50, "loss": 1.5})
        asked.append((recipe.config, output, settings, should_stop()))
        return output / "weights.safetensors"

    monkeypatch.setattr("DiffusionCore.training.loop.train", train)
    changes = ["pairs=3", "network.hidden=64", "network.widths=[8,16,8]", "learning_rate=0.5", "seed=4"]
    assert main(["train", "affine", "--output", str(tmp_path), *changes]) == 0
    assert main(["train", "affine", *changes, "--output", str(tmp_path), "--minutes", "0"]) == 0
    config, output, settings, stopping = asked[0]
    assert (config.pairs, config.network.hidden, config.network.widths) == (3, 64, (8, 16, 8))
    assert (settings.learning_rate, settings.seed, output) == (0.5, 4, tmp_path)
    assert (stopping, asked[1][3]) == (False, True)
    assert str(tmp_path / "weights.safetensors") in capsys.readouterr().out


def test_models_lists_cards_and_where_own_ones_go(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("SPATIALDIFFUSION_MODELS", str(tmp_path))
    save_checkpoint(tmp_path / "mine.safetensors", Checkpoint("pose", {}, {"w": torch.ones(2)}, {"data": "my heads"}))
    assert main(["models"]) == 0
    shown = capsys.readouterr().out
    assert "mine" in shown
    assert "my heads" in shown
    assert str(tmp_path) in shown


@pytest.mark.usefixtures("script")
def test_evaluate_writes_a_line_per_pair_and_survives_a_bad_one(world, capsys):  # noqa: F811
    listed = world.folder / "pairs.csv"
    listed.write_text(
        "name,fixed,moving,fixed_segmentation,moving_segmentation,truth\n"
        "good,fixed.nii.gz,moving.nii.gz,fixed_labels.nii.gz,moving_labels.nii.gz,truth.h5\n"
        "bad,fixed.nii.gz,missing.nii.gz,,,\n"
        "plain,fixed.nii.gz,moving.nii.gz,,,\n"
    )
    assert main(["evaluate", str(listed), "--output", str(world.output)]) == 1
    with (world.output / "table.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert [row["pair"] for row in rows] == ["good", "bad", "plain"]
    assert float(rows[0]["true error mm after"]) < 1e-6 < float(rows[0]["true error mm before"])
    assert float(rows[0]["Dice after"]) > 0.8
    assert rows[1]["status"].startswith("failed: ")
    assert "missing.nii.gz" in rows[1]["status"]
    assert rows[2]["Dice after"] == ""
    assert (world.output / "good" / "transform.h5").exists()
    assert not (world.output / "bad").exists()
    assert (world.output / "table.md").read_text() in capsys.readouterr().out


@pytest.mark.usefixtures("script")
def test_evaluate_reads_lists_in_json_and_landmarks_in_lps(world):  # noqa: F811
    points = np.array([[0.0, 5, 2], [8, 12, -6]])
    moved = TRUTH.map(torch.from_numpy(points)).numpy()
    rows = np.hstack([points, moved]) * [-1, -1, 1, -1, -1, 1]
    text = "name,fx,fy,fz,mx,my,mz\n" + "".join(f"p{n}," + ",".join(map(str, row)) + "\n" for n, row in enumerate(rows))
    (world.folder / "landmarks.csv").write_text(text)
    pair = {"fixed": "fixed.nii.gz", "moving": "moving.nii.gz", "landmarks": "landmarks.csv"}
    listed = world.folder / "pairs.json"
    listed.write_text(json.dumps([pair]))
    assert main(["evaluate", str(listed), "--output", str(world.output)]) == 0
    metrics = json.loads((world.output / "report.json").read_text())[0]["metrics"]
    assert metrics["after"]["landmark_error_mm"]["largest"] < 1e-6
    distance = np.linalg.norm(points - moved, axis=1).mean()
    assert metrics["before"]["landmark_error_mm"]["mean"] == pytest.approx(distance)


def test_the_summary_names_the_true_error_first():
    report = {"metrics": {}, "steps": 3, "seconds": {"total": 1.0}}
    for when, error in (("before", 50.0), ("after", 0.4)):
        report["metrics"][when] = {"true_error_mm": {"mean": error}, "mutual_information": 0.5}
    lines = register_command.summary(report).splitlines()
    assert lines[1].split() == ["true", "error,", "mean", "mm", "50.000", "0.400"]
