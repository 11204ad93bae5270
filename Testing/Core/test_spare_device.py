"""Where a registration computes while trainings hold GPUs."""

from contextlib import ExitStack

import pytest

from DiffusionCore.jobs.spare_device import device_beside_trainings
from DiffusionCore.training.folder import TrainingPlace, TrainingRecord
from DiffusionCore.training.ranks import Ranks


def record(gpus, spare_gpus):
    return TrainingRecord("line", (), "auto", None, 3, gpus=gpus, spare_gpus=spare_gpus)


@pytest.mark.parametrize(
    ("trainings", "device"),
    [
        ([], "auto"),
        ([((), ("cuda:0",))], "auto"),
        ([(("cuda:0",), ())], "cpu"),
        ([(("cuda:0",), ("cuda:1", "cuda:2"))], "cuda:1"),
        ([(("cuda:0",), ("cuda:1",)), (("cuda:1",), ("cuda:0",))], "cpu"),
        ([(("cuda:0",), ("cuda:1", "cuda:2")), (("cuda:1",), ("cuda:0", "cuda:2"))], "cuda:2"),
    ],
)
def test_automatic_is_a_gpu_that_every_training_leaves_alone_or_else_the_cpu(tmp_path, trainings, device):
    with ExitStack() as running:
        for number, gpus in enumerate(trainings):
            running.enter_context(TrainingPlace(tmp_path / str(number), record(*gpus)))
        assert device_beside_trainings("auto", tmp_path) == device
        assert device_beside_trainings("cuda:0", tmp_path) == "cuda:0"
    assert device_beside_trainings("auto", tmp_path) == "auto"  # they have ended


def test_a_folder_that_is_missing_holds_no_gpu(tmp_path):
    assert device_beside_trainings("auto", tmp_path / "missing") == "auto"


def test_several_processes_use_all_gpus_of_their_machine_and_one_uses_its_own(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    assert Ranks().gpus("cpu") == ()
    assert Ranks().gpus("auto") == Ranks().gpus("cuda") == ("cuda:0",)
    assert Ranks().gpus("cuda:2") == ("cuda:2",)
    assert Ranks(1, 2, 1).gpus("cuda") == ("cuda:0", "cuda:1", "cuda:2")
