"""The table of recipes: one scheme of names, settings that can be changed, a list of all."""

import pytest

from DiffusionCore.__main__ import main
from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.training.recipes import RECIPES, configure

KINDS = ("affine", "voxelmorph", "diffusereg", "drdm", "image")
PRESETS = ("smoke", "small", "published")


def test_names_are_those_of_the_kinds_and_of_their_presets():
    others = {"comparison", "voxelmorph-unsupervised", "voxelmorph-images"}
    presets = {f"{preset}-{kind}" for preset in PRESETS for kind in KINDS}
    assert set(RECIPES) <= {*KINDS, *presets} | others
    assert {*KINDS, *(f"smoke-{kind}" for kind in KINDS), *(f"published-{kind}" for kind in KINDS)} <= set(RECIPES)


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
    with pytest.raises(DiffusionCoreError, match=r"There is no recipe .*affine, .*published-image, .*smoke-drdm"):
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
