import numpy as np
import pyarrow as pa
import pytest
from lensed import curves

from fink_al.features.microlensing.baseline import Baseline
from fink_al.simulation.star_noise import baseline_flux


def test_the_latest_detection_is_compared_with_the_reference_image():
    star = float(baseline_flux(np.array(18.0)))
    one = curves([(0, 1, star, 5.0), (2, 1, 1.5 * star, 20.0), (3, 1, 9.0 * star, 5.0, 2)])
    object.__setattr__(one, "context", pa.table({"reference_mag": [18.0]}))
    values, codes = Baseline().extract(one)
    assert codes[0] == 0
    rise, error, colour = values[0]
    assert np.isnan(colour)
    assert rise == pytest.approx(2.5 * np.log10(2.5))
    brighter = 2.5 * np.log10((star + 1.5 * star + 20) / (star + 1.5 * star))
    assert error == pytest.approx(brighter, rel=0.01)


def test_no_source_or_none_left_gives_a_reason():
    for context, flux in (({}, 50.0), ({"reference_mag": [25.0]}, -50.0)):
        one = curves([(0, 1, flux, 5.0)])
        object.__setattr__(one, "context", pa.table(context))
        values, codes = Baseline().extract(one)
        assert Baseline.reasons[codes[0]] == "no_reference"
        assert np.isnan(values).all()


def test_the_colour_of_the_change_is_compared_with_the_stars():
    one = curves([(0, 0, 100.0, 2.0), (0, 1, 200.0, 2.0)])
    object.__setattr__(one, "context", pa.table({"host_colour_g_r": [0.5]}))
    values, codes = Baseline().extract(one)
    assert codes[0] == 0
    np.testing.assert_allclose(values[0], [np.nan, np.nan, 2.5 * np.log10(2) - 0.5])
