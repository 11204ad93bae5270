"""How wrong a deformation may be: clues that have the right sizes, and a calibration that makes a statement of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_diffusereg_method import FIXED_GRID, HIDDEN, aligned, drawn
from test_sampled_field import saved

from DiffusionCore.affine.steps import Spread, Step
from DiffusionCore.cautions import SIZE_ONLY
from DiffusionCore.checks import StorageError
from DiffusionCore.config import to_json
from DiffusionCore.deformable.stated import (
    Calibration,
    Calibrations,
    Teller,
    Witness,
    calibration_path,
    load_calibrations,
)
from DiffusionCore.jobs.events import SAMPLES, SIZE, STATED, UNCERTAINTY, Finished
from DiffusionCore.jobs.execution import execute
from DiffusionCore.jobs.specification import RegistrationJob
from DiffusionCore.space import Volume
from DiffusionCore.space.plain import Matrix

REFINED = Calibration(True, False, float(np.log(2.0)), {"disagreement": 0.5}, {"0.9": 1.5}, {"within": 0.4})
FIELD = Calibration(False, False, 0.0, {"spread": 1.0}, {"0.9": 1.5}, {"within": 0.1})


def witness():
    return Witness(*drawn(), aligned(), 6.0)


def test_clues_are_what_they_say_in_mm():
    found = witness().clues(aligned(), HIDDEN, Volume(np.full(FIXED_GRID.shape, 3.0, np.float32), FIXED_GRID))
    size, disagreement, spread = (found[name].exp() for name in ("size", "disagreement", "spread"))
    torch.testing.assert_close(size, disagreement)
    assert 4 < size.max() < 9
    middle = tuple(n // 2 for n in spread.shape)
    assert spread[middle] == pytest.approx(3.05, abs=1e-3)
    assert "spread" not in witness().clues(aligned(), HIDDEN, None)


def test_images_are_more_unlike_where_the_transform_is_wrong():
    right, wrong = (witness().clues(aligned(), transform, None) for transform in (HIDDEN, aligned()))
    moved = right["size"].exp() > 2.5
    assert right["unlike"][moved].mean() < wrong["unlike"][moved].mean() - 0.2


def test_a_calibration_multiplies_powers_of_the_clues():
    clues = {"disagreement": torch.tensor([4.0, 1.0]).log()}
    torch.testing.assert_close(REFINED.state(clues), torch.tensor([4.0, 2.0]))


def test_the_ends_of_the_field_and_of_the_refinement_are_stated_and_other_steps_tell_their_samples():
    raw = Spread(Volume(np.ones(FIXED_GRID.shape, np.float32), FIXED_GRID))
    teller = Teller(Calibrations((REFINED, FIELD)), witness(), sampled=False)
    early, late = (teller.field(Step(n, "field", time, HIDDEN, spread=raw)).spread for n, time in enumerate((0.5, 0.0)))
    assert early is raw
    assert (late.stated, late.localizes) == (True, False)
    on_the_way, end = (teller.refined(Step(2, "refine", time, HIDDEN)).spread for time in (0.4, 0.0))
    assert on_the_way is raw
    assert (end.stated, end.localizes) == (True, True)
    assert end.values.values.max() == pytest.approx(2 * 0.1**0.5, rel=1e-3)  # nothing was changed by the refinement
    unknown = Teller(Calibrations((REFINED,)), witness(), sampled=True)
    assert unknown.field(Step(0, "field", 0.0, HIDDEN, spread=raw)).spread is raw


def test_a_model_without_calibration_has_none_and_a_damaged_one_is_told(tmp_path):
    weights = tmp_path / "mine.safetensors"
    assert load_calibrations(weights) == Calibrations()
    whole = Calibrations((REFINED, FIELD))
    calibration_path(weights).write_text(to_json(whole))
    assert load_calibrations(weights) == whole
    calibration_path(weights).write_text("{")
    with pytest.raises(StorageError, match=r"mine.calibration.json.*Remove it"):
        load_calibrations(weights)


@pytest.mark.parametrize(("within", "kind"), [(None, SAMPLES), (0.1, SIZE), (0.4, STATED)])
def test_samples_of_one_run_give_the_uncertainty_of_its_result(tmp_path, within, kind):
    model = saved(tmp_path / "m.safetensors", pairs={"spacing": 8.0})
    if within is not None:
        entry = replace(FIELD, sampled=True, report={"within": within})
        calibration_path(Path(model)).write_text(to_json(Calibrations((entry,))))
    learned = {"model": model, "passes": 2, "samples": 3}
    settings = {"affine": None, "refinement": None, "learned": learned}
    start = Matrix(aligned().matrix.numpy())
    job = RegistrationJob(*drawn(), method="deformable", settings=settings, initial=start, device="cpu")
    *_, end = execute(job)
    assert isinstance(end, Finished), end
    assert end.spread_is == kind
    assert end.spread.values.max() > 0
    assert UNCERTAINTY in {measure.name for measure in end.measures}
    assert (SIZE_ONLY in end.cautions) == (kind == SIZE)
