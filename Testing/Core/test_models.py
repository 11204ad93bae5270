import subprocess
import sys
from pathlib import Path

import pytest
import torch

from DiffusionCore import model_files, models
from DiffusionCore.__main__ import main
from DiffusionCore.build import build_network
from DiffusionCore.checks import CheckpointError, ConfigError, StorageError
from DiffusionCore.deformable import stated
from DiffusionCore.model_files import delete_model, export_model, install_model
from DiffusionCore.models import (
    describe,
    find_model,
    list_models,
    load_model,
    markdown,
    read_card,
    write_markdown_card,
)
from DiffusionCore.networks.voxelmorph import VoxelMorph, VoxelMorphConfig
from DiffusionCore.storage.checkpoint import Checkpoint, save_checkpoint
from DiffusionCore.synthesis import reference

CARD = {
    "data": "random shapes", "steps": 1200, "seed": 7, "seconds": 600, "license": "Apache-2.0",
    "commands": [["train it steps=2000", ""], ["train it steps=1200", "from step 9 on"], ["", "not run again"]],
    "results": {"median error": "0.4 mm", "solved": "99 % | of 81"},
}  # fmt: skip


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Return a folder of shipped and one of installed models, both empty."""
    shipped, installed = tmp_path / "shipped", tmp_path / "installed"
    shipped.mkdir()
    installed.mkdir()
    for module in (models, model_files):
        monkeypatch.setattr(module, "SHIPPED", shipped)
    monkeypatch.setenv(models.FOLDER_VARIABLE, str(installed))
    return shipped, installed


def with_companions(weights, text):
    """Write what belongs to ``weights`` beside them."""
    for suffix in model_files.COMPANIONS:
        weights.with_name(weights.stem + suffix).write_text(text)
    return weights


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def add(folder, name, kind="pose", card=CARD):
    save_checkpoint(folder / f"{name}.safetensors", Checkpoint(kind, {}, {"weight": torch.ones(2)}, card))
    return folder / f"{name}.safetensors"


def test_shipped_and_installed_models_are_listed_by_name(folders):
    shipped, installed = folders
    add(shipped, "b"), add(installed, "c", "velocity"), add(installed, "a")
    assert [(card.name, card.kind, card.shipped) for card in list_models()] == [
        ("a", "pose", False), ("b", "pose", True), ("c", "velocity", False),
    ]  # fmt: skip


def test_an_installed_model_hides_a_shipped_one_of_the_same_name(folders):
    shipped, installed = folders
    add(shipped, "head"), add(installed, "head")
    assert [card.shipped for card in list_models()] == [False]
    assert find_model("head") == installed / "head.safetensors"


def test_folders_that_do_not_exist_hold_no_models(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "SHIPPED", tmp_path / "missing")
    monkeypatch.setenv(models.FOLDER_VARIABLE, str(tmp_path / "missing too"))
    assert list_models() == ()


def test_a_file_that_cannot_be_used_is_left_out_and_named_in_the_log(folders, caplog):
    shipped, installed = folders
    add(shipped, "good")
    (installed / "bad.safetensors").write_bytes(b"nothing")
    assert [card.name for card in list_models()] == ["good"]
    assert "bad.safetensors" in caplog.text


def test_a_card_tells_what_the_checkpoint_states(folders):
    card = read_card(add(folders[0], "head"))
    assert (card.data, card.steps, card.seed, card.time, card.license) == (
        "random shapes", "1200", "7", "10 min", "Apache-2.0",
    )  # fmt: skip
    assert card.commands[1:] == (("train it steps=1200", "from step 9 on"), ("", "not run again"))
    assert "`train it steps=2000`; `train it steps=1200`, from step 9 on; not run again\n" in describe(card)
    assert card.results == (("median error", "0.4 mm"), ("solved", "99 % | of 81"))
    for text in ("head", "pose", "shipped", "random shapes", "1200", "10 min", "Apache-2.0", "median error: 0.4 mm"):
        assert text in describe(card)
    assert str(card) == describe(card)


def test_a_silent_card_is_not_stated_rather_than_an_error(folders):
    card = read_card(add(folders[0], "head", card={}))
    assert {card.data, card.steps, card.seed, card.time, card.license} == {"not stated"}
    assert describe(card).count("not stated") == 7


def test_a_model_is_found_by_name_and_by_path(folders, tmp_path):
    shipped, _ = folders
    path = add(shipped, "head")
    elsewhere = add(tmp_path, "elsewhere")
    assert find_model("head") == path
    assert find_model(elsewhere) == elsewhere
    assert torch.equal(load_model("head", "pose").weights["weight"], torch.ones(2))


def test_an_installed_model_is_listed_with_its_card_and_the_original_is_not_needed(folders, tmp_path):
    _, installed = folders
    source = add(tmp_path, "weights")
    card = install_model(source, "my head")
    source.unlink()
    assert list_models() == (card,)
    assert (card.name, card.shipped, card.path) == ("my head", False, installed / "my head.safetensors")
    assert "random shapes" in (installed / "my head.md").read_text(encoding="utf-8")


def test_the_folder_of_models_is_made_where_it_is_missing(folders, tmp_path, monkeypatch):
    monkeypatch.setenv(models.FOLDER_VARIABLE, str(tmp_path / "a" / "b"))
    assert install_model(add(tmp_path, "weights"), "head").path == tmp_path / "a" / "b" / "head.safetensors"


def test_another_model_of_the_name_is_replaced_only_when_asked_and_a_shipped_one_never(folders, tmp_path):
    shipped, _ = folders
    add(shipped, "shipped")
    first, second = add(tmp_path, "first"), add(tmp_path, "second", "velocity")
    install_model(first, "head")
    assert install_model(first, "head").kind == "pose"
    with pytest.raises(CheckpointError, match="another model 'head'"):
        install_model(second, "head")
    assert read_card(find_model("head")).kind == "pose"
    assert install_model(second, "head", replace=True).kind == "velocity"
    with pytest.raises(CheckpointError, match="is shipped"):
        install_model(second, "shipped", replace=True)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "../a", "a.", " a", "a ", ".a", "a:b", "a\n", "*"])
def test_a_name_that_is_no_file_name_everywhere_is_refused(folders, tmp_path, name):
    with pytest.raises(StorageError, match="cannot be the name"):
        install_model(add(tmp_path, "weights"), name)
    assert list_models() == ()


def test_what_is_no_model_is_not_installed(folders, tmp_path):
    (tmp_path / "pickle.pt").write_bytes(b"PK\x03\x04 and more")
    with pytest.raises(CheckpointError, match="pickle"):
        install_model(tmp_path / "pickle.pt", "head")
    assert not list(folders[1].iterdir())


def test_an_unknown_name_lists_what_exists_and_where_to_put_more(folders):
    shipped, installed = folders
    with pytest.raises(CheckpointError, match="Models: none"):
        find_model("head")
    add(shipped, "head"), add(installed, "knee")
    with pytest.raises(CheckpointError, match=r"no model 'hip'.*Models: head, knee\. ") as caught:
        find_model("hip")
    assert str(installed) in str(caught.value)


def test_a_model_of_another_kind_is_refused(folders):
    add(folders[0], "head")
    with pytest.raises(CheckpointError, match="'velocity' is needed"):
        load_model("head", "velocity")


@pytest.mark.parametrize(
    ("platform", "variable", "tail"),
    [
        ("linux", "XDG_DATA_HOME", "SpatialDiffusion/models"),
        ("win32", "LOCALAPPDATA", "SpatialDiffusion/models"),
        ("darwin", "HOME", "Library/Application Support/SpatialDiffusion/models"),
    ],
)
def test_installed_models_live_where_the_platform_keeps_data(tmp_path, monkeypatch, platform, variable, tail):
    monkeypatch.delenv(models.FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(models.sys, "platform", platform)
    monkeypatch.setenv(variable, str(tmp_path))
    assert models.models_folder() == tmp_path / Path(tail)


def test_listing_models_needs_no_torch():
    root = Path(__file__).parents[2]
    code = "import sys; from DiffusionCore.models import list_models; list_models(); print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def test_the_markdown_card_says_the_same_beside_the_weights(folders):
    path = add(folders[0], "head")
    written = write_markdown_card(path)
    assert written == path.with_suffix(".md")
    assert written.read_text(encoding="utf-8") == markdown(read_card(path))
    assert "| results | median error: 0.4 mm; solved: 99 % \\| of 81 |" in markdown(read_card(path))


def test_everything_shipped_is_small_usable_and_has_its_card_beside_it():
    files = set(models.SHIPPED.glob("*.safetensors"))
    assert {path.with_suffix(".safetensors") for path in models.SHIPPED.glob("*.md")} == files
    for path in files:
        assert path.stat().st_size <= 16 * 2**20
        assert path.with_suffix(".md").read_text(encoding="utf-8") == markdown(read_card(path))
        assert "not stated" not in markdown(read_card(path))


def test_a_model_is_deleted_with_its_card(folders, tmp_path):
    install_model(add(tmp_path, "mine"), "mine")
    delete_model("mine")
    assert list(folders[1].iterdir()) == []
    assert list_models() == ()


@pytest.mark.parametrize("name", ["head", "missing", "../shipped/head"])
def test_what_is_no_installed_model_is_not_deleted(folders, name):
    shipped = add(folders[0], "head")
    with pytest.raises(CheckpointError, match="no model"):
        delete_model(name)
    assert shipped.is_file()


def test_what_belongs_to_weights_goes_with_them(folders, tmp_path):
    installed = folders[1]
    install_model(with_companions(add(tmp_path, "mine"), "first"), "mine")
    everything = ["mine.calibration.json", "mine.md", "mine.reference.json", "mine.safetensors"]
    assert names(installed) == everything
    (tmp_path / "elsewhere").mkdir()
    export_model("mine", tmp_path / "elsewhere" / "mine.safetensors")
    assert names(tmp_path / "elsewhere") == everything
    assert (tmp_path / "elsewhere" / "mine.calibration.json").read_text() == "first"
    delete_model("mine")
    assert names(installed) == []


def test_what_belonged_to_other_weights_does_not_stay_beside_new_ones(folders, tmp_path):
    install_model(with_companions(add(tmp_path, "first"), "first"), "mine")
    install_model(tmp_path / "first.safetensors", "mine")
    assert len(names(folders[1])) == 4
    install_model(add(tmp_path, "second", "velocity"), "mine", replace=True)
    assert names(folders[1]) == ["mine.md", "mine.safetensors"]


def test_the_names_of_what_belongs_to_weights_are_those_that_are_looked_for():
    assert set(model_files.COMPANIONS) == {stated.SUFFIX, reference.SUFFIX}


def test_an_export_keeps_what_is_there(folders, tmp_path):
    add(folders[0], "head")
    other = add(tmp_path, "other", "velocity")
    with pytest.raises(StorageError, match="is there already"):
        export_model("head", other)
    assert read_card(other).kind == "velocity"
    assert export_model("head", other, replace=True).kind == "pose"
    with pytest.raises(StorageError, match="the model itself"):
        export_model("head", folders[0] / "head.safetensors", replace=True)
    with pytest.raises(StorageError, match=r"file \.safetensors"):
        export_model("head", tmp_path / "head.pt")
    with pytest.raises(StorageError, match="missing"):
        export_model("head", tmp_path / "missing" / "head.safetensors")


def test_the_shell_imports_exports_and_deletes(folders, tmp_path, capsys):
    (tmp_path / "brains run").mkdir()
    weights = add(tmp_path / "brains run", "weights")
    assert main(["models", "import", str(weights)]) == 0
    assert [card.name for card in list_models()] == ["brains run"]
    assert main(["models", "import", str(weights), "second"]) == 0
    assert main(["models", "export", "second", str(tmp_path / "out.safetensors")]) == 0
    assert (tmp_path / "out.safetensors").read_bytes() == weights.read_bytes()
    assert main(["models", "delete", "brains run"]) == 0
    assert [card.name for card in list_models()] == ["second"]
    capsys.readouterr()
    (tmp_path / "pickle.pt").write_bytes(b"PK\x03\x04 and more")
    assert main(["models", "import", str(tmp_path / "pickle.pt")]) == 2
    assert "pickle" in capsys.readouterr().err
    assert main(["models"]) == 0
    assert "second  (pose, installed)" in capsys.readouterr().out


@pytest.mark.parametrize("share", [0.5, 0.99])
def test_a_truncated_file_is_not_installed(folders, tmp_path, share):
    path = add(tmp_path, "mine")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(CheckpointError, match="truncated or damaged"):
        install_model(path, "mine")
    assert list_models() == ()


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        ({}, ConfigError, "VoxelMorphConfig"),
        ({"network": {"widths": [8, 100_000_000]}}, CheckpointError, "describes more|memory|overflow"),
        ({"network": {"widths": [20_000, 30_000]}}, CheckpointError, "describes more"),
        ({"network": {"widths": [8, 16], "blocks": 10**9}}, CheckpointError, "describes more"),
        ({"network": {"widths": "all"}}, ConfigError, "widths"),
        ({"network": {"widths": [4, 8]}}, CheckpointError, "do not fit"),
    ],
)
def test_a_file_cannot_ask_for_a_network_larger_than_itself(config, error, message):
    weights = VoxelMorph(VoxelMorphConfig((8, 16))).state_dict()
    with pytest.raises(error, match=message):
        build_network(Checkpoint("voxelmorph", config, weights, {}))
