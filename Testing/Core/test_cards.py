"""Cards name the commands that weights come from: the shell takes them, and they describe what is in the file."""

import shlex

import pytest
from line_recipe import SETTINGS, LineRecipe, stopper

from DiffusionCore.__main__ import _parse
from DiffusionCore.config import from_dict, to_dict
from DiffusionCore.models import SHIPPED, read_card
from DiffusionCore.storage.checkpoint import read_description
from DiffusionCore.training.folder import WEIGHTS
from DiffusionCore.training.history import command_text, with_history
from DiffusionCore.training.loop import train
from DiffusionCore.training.recipes import configure

MODELS = sorted(SHIPPED.glob("*.safetensors"))
MEASURED = {"data", "frame", "labels"}  # what images tell


def taken(command):
    """Return what today's program makes of ``command``: the recipe and the settings of the loop."""
    words = shlex.split(command)
    assert words[:4] == ["python", "-m", "DiffusionCore", "train"]
    options = _parse(words[3:])
    return configure(options.recipe, options.settings)[:2]


def without_measures(config):
    return {
        key: without_measures(value) if isinstance(value, dict) else value
        for key, value in config.items()
        if key not in MEASURED
    }


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_the_commands_of_a_shipped_card_describe_what_is_in_the_file(path):
    commands = [command for command, _ in read_card(path).commands if command]
    assert commands
    for command in commands:
        recipe, _ = taken(command)
        assert recipe.kind == read_description(path)["kind"]
    recipe, settings = taken(commands[-1])
    described = read_description(path)
    config = recipe._given if recipe.kind == "image" else recipe.config  # the other one would look at the images
    stored = from_dict(type(config), described["config"])
    assert without_measures(to_dict(stored)) == without_measures(to_dict(config))
    known = {**described["card"].get("settings", {})}
    for name in ("steps", "learning_rate", "warm_up", "clip", "average", "weight_decay"):
        assert known.get(name, getattr(settings, name)) == getattr(settings, name)
    assert str(settings.seed) in read_card(path).seed


def test_a_command_says_nothing_of_where_the_images_lie():
    text = command_text("image", ["steps=3", 'data="/home/anna/scans"', "size=[8, 8, 8]"])
    assert text == "python -m DiffusionCore train image --data DATA --output RUN steps=3 'size=[8, 8, 8]'"


def test_weights_name_all_commands_that_trained_them(tmp_path):
    def go_on(command, **options):
        train(LineRecipe(), tmp_path, SETTINGS, card={"commands": [[command, ""]]}, **options)
        return read_description(tmp_path / WEIGHTS)["card"]["commands"]

    assert go_on("first", should_stop=stopper(7)) == [["first", ""]]
    assert go_on("first", should_stop=stopper(9)) == [["first", ""]]
    assert go_on("second") == [["first", ""], ["second", "from step 16 on"]]
    assert with_history({}, tmp_path / WEIGHTS, 5) == {}
    assert with_history({"commands": [["second", ""]]}, tmp_path / "missing", 5)["commands"][0][1] == "from step 5 on"
