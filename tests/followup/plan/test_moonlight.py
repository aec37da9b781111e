"""Moonlight against figures computed by hand from the paper's equations."""

import numpy as np
import pytest

from fink_al.followup.plan.moonlight import sky_brightness


def test_without_the_moon_it_is_the_dark_sky():
    # The paper's own: 79.0 nanolamberts are 21.587 mag at the zenith of Mauna Kea.
    assert 34.08 * np.exp(20.7233 - 0.92104 * 21.587) == pytest.approx(79.0, abs=0.1)
    assert sky_brightness(90, -5, 60, 0, 21.587, 0.172) == pytest.approx(21.587)
    # At 30 deg the path is (1 - 0.96 x 0.75)^-0.5 = 1.890: 79.0 x 1.890 x 10^(-0.4 x 0.172 x 0.890)
    # = 129.7 nanolamberts, which are 20.7233 - ln(129.7 / 34.08) / 0.92104 ... of a magnitude.
    expected = (20.7233 - np.log(129.7 / 34.08)) / 0.92104
    assert sky_brightness(30, -5, 60, 0, 21.587, 0.172) == pytest.approx(expected, abs=0.002)


def test_a_full_moon_by_hand():
    # Both at 60 deg: path (1 - 0.96 x 0.25)^-0.5 = 1.1471. I = 10^(-0.4 x 3.84) = 0.02911.
    # At 60 deg apart f = 229087 x (1.06 + 0.25) + 10^(6.15 - 1.5) = 300104 + 44668 = 344772.
    # 10^(-0.4 x 0.172 x 1.1471) = 0.83384, so 344772 x 0.02911 x 0.83384 x 0.16616 = 1390.6.
    # Dark: 79.0 x 1.1471 x 10^(-0.4 x 0.172 x 0.1471) = 88.5. Both: 1479.1 nanolamberts.
    expected = (20.7233 - np.log(1479.1 / 34.08)) / 0.92104
    assert sky_brightness(60, 60, 60, 0, 21.587, 0.172) == pytest.approx(expected, abs=0.002)
    assert expected == pytest.approx(18.406, abs=0.001)


def test_it_is_brighter_near_the_moon_and_when_it_is_fuller():
    for distances in ([2.0, 5, 9.9], [10.0, 30, 60]):  # the paper's formulas do not join at 10 deg
        near = sky_brightness(60, 40, np.array(distances), 0, 21.5, 0.17)
        assert (np.diff(near) > 0).all()
    phases = sky_brightness(60, 40, 60, np.array([0.0, 45, 90, 135]), 21.5, 0.17)
    assert (np.diff(phases) > 0).all()
    assert phases[-1] < 21.5
