"""The table of recipes: one scheme of names, settings that can be changed, a list of all."""

import pytest
import torch
from line_recipe import SETTINGS, LineConfig, LineRecipe

from DiffusionCore.__main__ import main
from DiffusionCore.checks import CheckpointError, DiffusionCoreError
from DiffusionCore.storage.checkpoint import Checkpoint, save_checkpoint
from DiffusionCore.training.folder import STATE
from DiffusionCore.training.recipes import RECIPES, configure
from DiffusionCore.training.state import TrainingState, restore_state

KINDS = ("affine", "voxelmorph", "diffusereg", "drdm", "image")
PRESETS = ("smoke", "small", "published")


def test_names_are_those_of_the_kinds_and_of_their_presets():
    others = {"comparison", "voxelmorph-unsupervised", "voxelmorph-images", "smoke-voxelmorph-images"}
    presets = {f"{preset}-{kind}" for preset in PRESETS for kind in KINDS}
    assert set(RECIPES) == {*KINDS, *presets, "small-published-diffusereg"} | others


@pytest.mark.parametrize("kind", KINDS)
def test_the_presets_of_a_kind_make_weights_of_one_kind_from_fewer_steps_to_more(kind):
    smoke, small, full = (configure(name, []) for name in (f"smoke-{kind}", f"small-{kind}", kind))
    assert {recipe.kind for recipe, *_ in (smoke, small, full)} == {full[0].kind}
    assert smoke[1].steps < small[1].steps < full[1].steps
    assert smoke[1].validate_every <= smoke[1].steps / 2


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_takes_changes_of_its_settings_and_of_the_loop(name):
    recipe, settings, card = configure(name, ["steps=3", "precision=float16", "accumulate=2", "keep=1"])
    assert (settings.steps, settings.precision, settings.accumulate, settings.keep) == (3, "float16", 2, 1)
    assert recipe.batch >= 1
    assert card["license"]
    with pytest.raises(DiffusionCoreError, match=r"'no=1' changes nothing.*network\.\w+.*steps, accumulate"):
        configure(name, ["no=1"])
    with pytest.raises(DiffusionCoreError, match="precision"):
        configure(name, ["precision=half"])


def test_an_unknown_recipe_is_answered_with_all_names():
    with pytest.raises(DiffusionCoreError, match=r"There is no recipe .*affine, .*smoke-drdm, .*published-image"):
        configure("affin", [])


def test_the_shell_lists_all_recipes_and_what_they_need(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["train", "--list"])
    assert ended.value.code == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()[1:]}
    assert lines.keys() == RECIPES.keys()
    assert all("  yours  " in line for name, line in lines.items() if "drdm" in name or "image" in name)
    assert "  none  " in lines["affine"]
    assert "  none or yours  " in lines["voxelmorph"]
    assert all(line.endswith(RECIPES[name].about) for name, line in lines.items())


def test_a_recipe_that_takes_no_images_says_which_do(tmp_path, capsys):
    assert main(["train", "affine", "--data", str(tmp_path), "--output", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert "'affine' learns from synthetic images alone" in said
    assert "published-affine" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["network.0.weight", "strange", "optimizer.first.step", "elsewhere.a"])
def test_a_state_of_other_weights_is_refused(tmp_path, name):
    description = {"slope": 2.0}
    save_checkpoint(tmp_path / STATE, Checkpoint("line-training", description, {name: torch.ones(1)}, {"seed": 3}))
    state = TrainingState.beginning(LineRecipe(), SETTINGS, torch.device("cpu"))
    with pytest.raises(CheckpointError, match="the weights of its own network"):
        restore_state(tmp_path / STATE, state, kind="line", config=LineConfig(), seed=3)


def test_a_training_that_was_begun_under_an_old_name_says_the_new_one(tmp_path):
    save_checkpoint(tmp_path / STATE, Checkpoint("published-diffusereg-training", {}, {"network.a": torch.ones(1)}, {}))
    state = TrainingState.beginning(LineRecipe(), SETTINGS, torch.device("cpu"))
    with pytest.raises(CheckpointError, match="is 'small-published-diffusereg' now"):
        restore_state(tmp_path / STATE, state, kind="diffusereg", config=LineConfig(), seed=0)
    with pytest.raises(CheckpointError, match=r"was trained there\.$"):
        restore_state(tmp_path / STATE, state, kind="voxelmorph", config=LineConfig(), seed=0)
