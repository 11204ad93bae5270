"""What a user meets on the way: names that follow the recipe, a training gone on with, a folder of another recipe."""

from __future__ import annotations

from clicking import choose, click, type_text


def stopped(host):
    """Start a training with the mouse, and stop it after its first checkpoint."""
    click(host.startButton)
    host.until(lambda host: host.section.run is not None and host.section.run.resumable is not None)
    click(host.startButton)
    host.until(lambda host: not host.section.running)
    return host


def test_the_name_follows_the_recipe_until_the_user_has_chosen_one(host):
    assert host.nameEdit.text == "my-affine-1"
    choose(host.recipeSelector, "Deformable registration in one look")
    assert host.nameEdit.text == "my-voxelmorph-1"
    choose(host.presetSelector, "Trial, in a minute or two")
    assert host.nameEdit.text == "my-voxelmorph-1"
    type_text(host.nameEdit, "my-voxelmorph-12")
    choose(host.recipeSelector, "Deformation by diffusion, with an uncertainty")
    assert host.parameters.trainingName == host.nameEdit.text == "my-diffusereg-12"
    for name in ("heads", "my-affine-1"):
        type_text(host.nameEdit, name)
        choose(host.recipeSelector, "Comparison of two images")
        assert host.nameEdit.text == name
        choose(host.recipeSelector, "Deformation by diffusion, with an uncertainty")


def test_what_is_resumed_is_what_was_started_whatever_is_chosen_since(host):
    type_text(host.nameEdit, "heads")
    stopped(host)
    choose(host.recipeSelector, "Comparison of two images")
    assert host.status.endswith("There is an unfinished training of this name. Resume it, or enter another name.")
    assert not host.startButton.isEnabled()
    click(host.resumeButton)
    assert host.section.running
    assert host.recipeSelector.currentText == "Affine registration"
    assert host.recipeLabel.text.startswith("Learns the pose of heads")
    step = host.section.run.step
    host.until(lambda host: host.section.run.step > step or not host.section.running)
    assert host.section.running, host.status


def test_a_training_of_another_recipe_is_not_overwritten(host, python_slicer, tmp_path):
    stopped(host)
    place = tmp_path / "trainings" / "my-affine-1"
    (place / "weights.safetensors").unlink()  # nothing but the state tells what was trained there
    state = (place / "state.safetensors").read_bytes()
    python_slicer(script=None)
    choose(host.presetSelector, "Trial, in a minute or two")
    assert host.startButton.isEnabled()
    click(host.startButton)
    host.until(lambda host: not host.section.running)
    assert "holds a training of the kind 'line', not 'pose'. Choose an empty output folder" in host.status
    assert host.icon.isVisible()
    assert (place / "state.safetensors").read_bytes() == state
