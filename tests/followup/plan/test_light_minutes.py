"""Exposures against the reference point and against hand-computed ones."""

import numpy as np
import pytest

from fink_al.errors import SettingsError
from fink_al.followup.plan.exposure import Weather, light_minutes
from fink_al.settings import load_telescope

SPECTRUM = load_telescope().spectrum
CLEAR = Weather()


def minutes(mag, airmass=1.0, sky=SPECTRUM.dark_sky_mag_arcsec2, weather=CLEAR):
    return float(light_minutes(np.array(mag), np.array(airmass), np.array(sky), SPECTRUM, weather))


def test_the_reference_point_is_the_setting():
    assert minutes(SPECTRUM.at_magnitude) == pytest.approx(SPECTRUM.minutes)


def test_fainter_by_hand():
    # The sky under it is 21.5 - 2.5 lg 16 = 18.49 mag: s = 1.0095. At 19.5 mag f = 0.39811:
    # 20 x (0.39811 + 1.0095) / 0.15849 / 2.0095 = 88.4.
    assert minutes(19.5) == pytest.approx(88.4, abs=0.1)


def test_air_and_cloud_dim_alike():
    assert minutes(18.5, airmass=2.0) == pytest.approx(minutes(18.5 + SPECTRUM.extinction_mag))
    assert minutes(18.5, weather=Weather(cloud_mag=0.5)) == pytest.approx(minutes(19.0))


def test_seeing_and_moonlight_add_sky_alike():
    twice = Weather(seeing_arcsec=SPECTRUM.seeing_arcsec * np.sqrt(2))
    brighter = SPECTRUM.dark_sky_mag_arcsec2 - 2.5 * np.log10(2)
    assert minutes(18.5, weather=twice) == pytest.approx(minutes(18.5, sky=brighter))


def test_bounds():
    assert minutes(14.0) == SPECTRUM.shortest_min
    assert minutes(19.6) < SPECTRUM.longest_min
    assert minutes(21.0) == np.inf
    assert minutes(np.nan) == np.inf
    assert minutes(18.0, airmass=np.inf) == np.inf


@pytest.mark.parametrize(
    ("weather", "sentence"),
    [
        ({"seeing_arcsec": 0}, "The seeing is 0 arcsec; give a number above 0, at most 20."),
        ({"cloud_mag": -1}, "The cloud is -1 mag; give a number from 0 to 5: with more, close."),
        (
            {"cloud_mag": np.nan},
            "The cloud is nan mag; give a number from 0 to 5: with more, close.",
        ),
    ],
)
def test_weather_that_cannot_be(weather, sentence):
    with pytest.raises(SettingsError) as error:
        Weather(**weather)
    assert str(error.value) == sentence
