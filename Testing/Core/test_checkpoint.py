import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from full_disk import full_disk
from safetensors.torch import save_file

from DiffusionCore.checks import CheckpointError, StorageError
from DiffusionCore.storage.checkpoint import Checkpoint, load_checkpoint, read_description, save_checkpoint

ROOT = Path(__file__).parents[2]


def checkpoint(seed=0):
    random = torch.Generator().manual_seed(seed)
    shared = torch.randn(4, 5, generator=random)
    weights = {
        "first.weight": torch.randn(3, 2, 5, generator=random),
        "strided": torch.randn(6, 4, generator=random).T,
        "shared": shared,
        "shared.part": shared[1:3],
        "double": torch.randn(7, generator=random, dtype=torch.float64),
        "steps": torch.tensor(1234567),
        "flags": torch.tensor([True, False]),
    }
    return Checkpoint(
        "pose", {"network": {"channels": [8, 16], "name": "Ünïcode"}}, weights, {"steps": 10, "loss": 0.25}
    )


def saved(tmp_path, **options):
    save_checkpoint(tmp_path / "model.safetensors", checkpoint(), **options)
    return tmp_path / "model.safetensors"


def with_header(path, change):
    """Change the JSON header of the safetensors file at ``path``."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    change(header["__metadata__"])
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])
    return path


def with_description(path, **values):
    def change(metadata):
        metadata["DiffusionCore"] = json.dumps(json.loads(metadata["DiffusionCore"]) | values)

    return with_header(path, change)


def test_a_checkpoint_comes_back_bit_for_bit(tmp_path):
    original, again = checkpoint(), load_checkpoint(saved(tmp_path))
    assert (again.kind, again.config, again.card) == (original.kind, original.config, original.card)
    assert again.weights.keys() == original.weights.keys()
    for name, tensor in original.weights.items():
        assert again.weights[name].dtype == tensor.dtype
        assert torch.equal(again.weights[name], tensor)


def test_half_precision_touches_only_floating_weights_that_fit(tmp_path):
    large = checkpoint()
    large.weights["large"] = torch.tensor([1e6, 1.0])
    save_checkpoint(tmp_path / "half.safetensors", large, half=True)
    weights = load_checkpoint(tmp_path / "half.safetensors").weights
    assert {name for name, tensor in weights.items() if tensor.dtype == torch.float16} == {
        "first.weight", "strided", "shared", "shared.part", "double",
    }  # fmt: skip
    assert torch.equal(weights["large"], large.weights["large"])
    assert torch.equal(weights["steps"], large.weights["steps"])
    assert torch.allclose(weights["strided"].float(), large.weights["strided"], rtol=1e-3)


def test_the_same_checkpoint_gives_the_same_bytes(tmp_path):
    first = saved(tmp_path).read_bytes()
    assert saved(tmp_path).read_bytes() == first


def test_loaded_weights_can_be_trained_on_and_the_file_replaced(tmp_path):
    path = saved(tmp_path)
    weights = load_checkpoint(path).weights
    weights["first.weight"].mul_(2)
    save_checkpoint(path, checkpoint(1))
    assert torch.equal(weights["first.weight"], 2 * checkpoint().weights["first.weight"])


def test_a_description_is_read_without_torch(tmp_path):
    path = saved(tmp_path)
    code = (
        "import sys; from DiffusionCore.storage.checkpoint import read_description; "
        f"print(read_description({str(path)!r})['kind'], 'torch' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["pose", "False"]


class Bomb:
    """A pickle that would leave a trace if anything opened it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("name", ["model.pt", "model.pth", "model.safetensors"])
@pytest.mark.parametrize("form", ["zip", "old torch", 0, 1, 2, 3, 4, 5])
def test_a_pickle_is_refused_by_its_content_and_never_opened(tmp_path, name, form):
    path, trace = tmp_path / name, tmp_path / "trace"
    content = {"weights": Bomb(str(trace))}
    if isinstance(form, str):
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")
    else:
        path.write_bytes(pickle.dumps(content, form))
    with pytest.raises(CheckpointError, match=r"is a pickle .* Convert it to safetensors"):
        load_checkpoint(path)
    assert not trace.exists()


@pytest.mark.parametrize("share", [0.001, 0.01, 0.3, 0.9, 0.9999])
def test_a_truncated_file_is_refused(tmp_path, share):
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes()[: max(1, int(share * path.stat().st_size))])
    with pytest.raises(CheckpointError, match="truncated or damaged"):
        load_checkpoint(path)


def test_a_file_that_goes_on_after_its_end_is_refused(tmp_path):
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(CheckpointError, match="truncated or damaged"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"Dear reader, " * 99, id="text"),
        pytest.param(bytes(1000), id="zeros"),
        pytest.param(b"\x05" + bytes(7) + b"{[[[[", id="no JSON"),
        pytest.param(b"\xff" * 8 + b"{}", id="endless"),
        pytest.param(b"x", id="short"),
        pytest.param(b"\x02" + bytes(7) + b"{}", id="no entries"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path, content):
    (tmp_path / "letter.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match="letter"):
        load_checkpoint(tmp_path / "letter.safetensors")


def test_safetensors_of_another_program_say_what_is_missing(tmp_path):
    save_file({"weight": torch.ones(3)}, tmp_path / "foreign.safetensors")
    with pytest.raises(CheckpointError, match="not the description that a model of DiffusionCore carries"):
        load_checkpoint(tmp_path / "foreign.safetensors")
    save_file({"weight": torch.ones(3)}, tmp_path / "foreign.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="not the description"):
        load_checkpoint(tmp_path / "foreign.safetensors")


def test_a_newer_format_asks_for_an_update(tmp_path):
    with pytest.raises(CheckpointError, match=r"format 2, this version reads up to 1.*update"):
        load_checkpoint(with_description(saved(tmp_path), format=2, layout="unknown"))


@pytest.mark.parametrize("entry", [{"kind": 3}, {"config": None}, {"card": []}])
def test_an_incomplete_description_is_named(tmp_path, entry):
    with pytest.raises(CheckpointError, match=f"no valid {next(iter(entry))}"):
        load_checkpoint(with_description(saved(tmp_path), **entry))


def test_a_description_that_is_no_json_is_refused(tmp_path):
    path = with_header(saved(tmp_path), lambda metadata: metadata.update(DiffusionCore="{'kind': "))
    with pytest.raises(CheckpointError, match="no valid JSON"):
        read_description(path)


def test_another_kind_names_both(tmp_path):
    path = saved(tmp_path)
    assert load_checkpoint(path, "pose").kind == "pose"
    with pytest.raises(CheckpointError, match=r"kind 'pose', but one of the kind 'velocity' is needed"):
        load_checkpoint(path, "velocity")


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(StorageError, match="there is no file"):
        load_checkpoint(tmp_path / "nothing.safetensors")
    with pytest.raises(StorageError, match="is a folder"):
        load_checkpoint(tmp_path)


def test_what_has_no_json_form_is_refused_before_anything_is_written(tmp_path):
    for card, error in (({"path": tmp_path}, TypeError), ({"loss": float("nan")}, ValueError)):
        with pytest.raises(error):
            save_checkpoint(tmp_path / "model.safetensors", Checkpoint("pose", {}, {}, card))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_an_error_that_leaves_the_old_file_and_nothing_else(tmp_path):
    path = saved(tmp_path)
    before = path.read_bytes()
    with full_disk(500), pytest.raises(StorageError, match="the disk has space"):
        save_checkpoint(path, checkpoint(1))
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == before
