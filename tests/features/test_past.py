import numpy as np
import pyarrow as pa
import pytest

from fink_al.features.feature_set import FeatureSet
from fink_al.features.past import Past
from fink_al.features.past_columns import OF_BAND, SINCE
from fink_al.lightcurve import LightCurves
from fink_al.settings import FeatureSettings

NAMES = Past("r").names


def record(**values):
    """Context columns of band r, null where nothing is given."""
    columns = [SINCE, *(f"past_{name}_r" for name in OF_BAND)]
    full = dict.fromkeys(columns) | {
        k if k == SINCE else f"past_{k}_r": v for k, v in values.items()
    }
    return pa.table({name: pa.array([full[name]], pa.float64()) for name in columns})


def window(context, flux=(2.0, 90.0), band=(1, 1)):
    """An alert with points of error 10 at MJD 59999 and 60000."""
    return LightCurves(
        offsets=np.array([0, 2]),
        mjd=np.array([59999.0, 60000.0]),
        band=np.array(band),
        flux=np.array(flux),
        flux_err=np.full(2, 10.0),
        is_upper_limit=np.zeros(2, bool),
        is_forced=np.zeros(2, bool),
        bands=("g", "r"),
        context=context,
    )


def extracted(context, **changes):
    values, codes = Past("r").extract(window(context, **changes))
    return dict(zip(NAMES, values[0], strict=True)), Past.reasons[codes[0]]


VARIABLE = {
    "past_since": 59600.0, "n": 40.0, "mean": 50.0, "scatter": 20.0, "slope": 0.5, "low": 10.0,
    "median": 40.0, "high": 80.0, "last": 59965.0, "quiet": 59900.0,
}  # fmt: skip


def test_a_variable_star_has_been_as_bright_before():
    values, reason = extracted(record(**VARIABLE))
    assert reason == ""
    assert values == pytest.approx(
        {
            "before_epochs_r": 40,
            "before_days_r": 400,
            "before_scatter_r": 2.0,
            "before_excess_r": (90 - 50) / 20,
            "before_range_r": (90 - 40) / 70,
            "before_slope_r": 0.05,
            "before_quiet_r": 100,
            "before_last_r": 35,
        }
    )


def test_a_constant_past_counts_in_errors_of_the_latest_point():
    values, _ = extracted(record(**VARIABLE | {"scatter": 1.0, "low": 49.0, "high": 51.0}))
    assert values["before_excess_r"] == pytest.approx((90 - 50) / 10)
    assert values["before_range_r"] == pytest.approx((90 - 40) / 10)


def test_an_object_in_no_alert_is_known_to_be_new():
    values, reason = extracted(record(past_since=59600.0, n=0.0))
    assert reason == ""
    assert {k: v for k, v in values.items() if np.isfinite(v)} == {
        "before_epochs_r": 0,
        "before_days_r": 400,
    }


def test_without_a_memory_nothing_is_known():
    for context in (record(), pa.table({})):
        values, reason = extracted(context)
        assert reason == "no_memory"
        assert np.isnan(list(values.values())).all()


def test_a_band_without_a_point_has_the_times_alone():
    values, _ = extracted(record(**VARIABLE), band=(0, 0))
    known = {name for name, value in values.items() if np.isfinite(value)}
    assert known == {"before_epochs_r", "before_days_r", "before_quiet_r", "before_last_r"}


def test_a_feature_set_names_the_columns_of_all_its_bands():
    settings = FeatureSettings(
        name="early_v1", bands=tuple("ugrizy"), criterion="ewma", min_data_points=3,
        min_rising_points=1, past=True,
    )  # fmt: skip
    columns = FeatureSet.from_settings(settings).context_columns
    past = [name for name in columns if name.startswith("past_")]
    assert len(past) == 1 + 6 * 9
    assert {"past_since", "past_n_u", "past_quiet_y"} <= set(past)
    without = FeatureSet.from_settings(settings.model_copy(update={"past": False}))
    assert not [name for name in without.context_columns if name.startswith("past_")]
