"""First models of the targets that look for lenses, trained by the sets of the package."""

import pyarrow as pa
import pytest

from fink_al.errors import SettingsError
from fink_al.loop import Loop
from fink_al.settings import load_settings
from fink_al.training.nightly import retrain

#: Context columns that each target reads of an alert.
COLUMNS = {
    "microlensing": {"past_since", "past_n_g", "reference_mag"},
    "microlensing_lsst": {"n_detections", "first_detection_mjd", "reference_mag"},
}


@pytest.fixture(params=COLUMNS)
def settings(request, tmp_path):
    return load_settings(environment={"FINK_AL_TARGET": request.param}, work_dir=str(tmp_path))


def nothing_archived(loop, labels):
    columns = {"object_id": pa.string(), "type": pa.string()}
    return pa.table({name: pa.array([], kind) for name, kind in columns.items()})


def test_the_packages_sets_make_a_first_model_that_ranks_lenses(settings):
    pytest.importorskip("xgboost", reason="needs the extra 'boosting'")
    loop = Loop.open(settings)
    summary = retrain(loop, nothing_archived)
    assert (summary.outcome, summary.positive, summary.negative) == ("promoted", 500, 900)
    assert summary.metrics["n"] == 600
    assert summary.metrics["auc"] > 0.97
    assert COLUMNS[loop.target.name] <= set(loop.columns)


def test_a_flag_needs_a_feature_that_exists():
    flags = {"planetary_anomaly": {"feature": "lens_planets", "above": 3.0}}
    settings = load_settings(
        environment={"FINK_AL_TARGET": "microlensing"}, target={"flags": flags}
    )
    with pytest.raises(
        SettingsError, match=r"flags\.planetary_anomaly\.feature: .* no feature 'lens_planets'"
    ):
        Loop.open(settings)
