"""Visibility against altitudes computed here from sidereal time, without astropy."""

import numpy as np
import pytest

from fink_al.followup.dark import darkness, is_observable
from fink_al.followup.sky import hours_above_airmass_2, sexagesimal
from fink_al.settings import Site

SIDING_SPRING = Site(
    name="Siding Spring", latitude_deg=-31.2733, longitude_deg=149.0612, height_m=1165
)
PALOMAR = Site(name="Palomar", latitude_deg=33.3563, longitude_deg=-116.865, height_m=1712)
NORTH = Site(name="north", latitude_deg=69, longitude_deg=20, height_m=0)
POLE = Site(name="south pole", latitude_deg=-90, longitude_deg=0, height_m=2835)
MINUTE = 1 / 1440


def altitude(ra, dec, mjd, site):
    """Altitude [deg] by the sidereal time of the Astronomical Almanac (page B8)."""
    sidereal = 280.46062 + 360.98564737 * (mjd - 51544.5) + site.longitude_deg
    angle, dec, latitude = map(np.radians, (sidereal - ra, dec, site.latitude_deg))
    sine = np.sin(latitude) * np.sin(dec) + np.cos(latitude) * np.cos(dec) * np.cos(angle)
    return np.degrees(np.arcsin(sine))


def sun(mjd):
    """Position of the Sun [deg] to 0.01 deg (Astronomical Almanac, page C5)."""
    n = mjd - 51544.5
    anomaly = np.radians(357.528 + 0.9856003 * n)
    longitude = 280.460 + 0.9856474 * n + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly)
    longitude, tilt = np.radians(longitude), np.radians(23.439 - 4e-7 * n)
    ra = np.arctan2(np.cos(tilt) * np.sin(longitude), np.cos(longitude))
    return np.degrees(ra), np.degrees(np.arcsin(np.sin(tilt) * np.sin(longitude)))


# The night of 2026-01-10 is MJD 61050: the middle of the night that follows is at 14:04 UT of the
# same day at Siding Spring, and at 7:47 UT of the next day at Palomar.
@pytest.mark.parametrize(
    ("site", "midnight"), [(SIDING_SPRING, 61050 + 14.063 / 24), (PALOMAR, 61051 + 7.791 / 24)]
)
def test_hours_agree_with_altitudes_computed_minute_by_minute(site, midnight):
    ra, dec = (grid.ravel() for grid in np.meshgrid(np.arange(0, 360, 30), np.arange(-80, 90, 20)))
    mjd = midnight + np.arange(-0.5, 0.5, MINUTE)
    dark = mjd[altitude(*sun(mjd), mjd, site) < -18]
    up = altitude(ra[:, None], dec[:, None], dark, site) > 30
    expected = up.sum(axis=1) / 60
    found = hours_above_airmass_2(ra, dec, site, midnight - 0.5)
    # Two edges, each within a step of five minutes and the precession since 2000.
    assert np.abs(found - expected).max() < 0.2
    assert np.abs(found - expected).mean() < 0.05


@pytest.mark.parametrize("longitude", [149.0612, -116.865, 0.0])
def test_a_day_after_the_alert_has_one_night(longitude):
    site = Site(name="north", latitude_deg=60, longitude_deg=longitude, height_m=0)
    pole, dark = (0, 90), []
    for day in range(18, 27):  # April 2026: at 60 deg north the last dark nights of spring
        midnight = 61131 + (day - 1) + 0.5 + ((12 - longitude / 15) % 24) / 24
        around = midnight + np.arange(-60, 60) * MINUTE
        dark.append(bool((altitude(*sun(around), around, site) < -18).any()))
    noons = [61131 + (day - 1) + 0.5 for day in range(18, 27)]
    found = [hours_above_airmass_2(*pole, site, noon)[0] > 0 for noon in noons]
    assert found == dark
    assert dark == sorted(dark, reverse=True)
    assert {True, False} == set(dark)


def test_all_night_never_and_without_darkness():
    ra, dec = [0, 0], [-90, 60]  # the pole stands at 31 deg, the other culminates below the horizon
    always, never = hours_above_airmass_2(ra, dec, SIDING_SPRING, 61050.0)
    mjd = 61050 + 14.063 / 24 + np.arange(-0.5, 0.5, MINUTE)
    darkness = (altitude(*sun(mjd), mjd, SIDING_SPRING) < -18).sum() / 60
    assert always == pytest.approx(darkness, abs=0.1)
    assert never == 0
    summer = Site(name="north", latitude_deg=60, longitude_deg=20, height_m=0)
    assert hours_above_airmass_2(ra, [90, 60], summer, 61212.0).tolist() == [0, 0]


def test_what_was_dark_before_the_alert_does_not_count():
    dusk, midnight = 61050 + 10 / 24, 61050 + 14.063 / 24
    ra, dec = [101.0, 101.0], [-31.0, -31.0]  # culminates near midnight
    whole, half = hours_above_airmass_2(ra, dec, SIDING_SPRING, [dusk, midnight])
    mjd = midnight + np.arange(0, 1, MINUTE)
    up = (altitude(*sun(mjd), mjd, SIDING_SPRING) < -18) & (
        altitude(101.0, -31.0, mjd, SIDING_SPRING) > 30
    )
    assert half == pytest.approx(up.sum() / 60, abs=0.2)
    rest = up & (mjd < midnight + 0.5)
    assert half - rest.sum() / 60 > 1  # of the next evening
    assert whole == pytest.approx(2 * rest.sum() / 60, abs=0.4)


def test_sexagesimal_positions():
    assert sexagesimal([150.1, 0.0, 187.5], [-20.2, -0.5, 5.0]) == [
        "10:00:24.00 -20:12:00.0",
        "00:00:00.00 -00:30:00.0",
        "12:30:00.00 +05:00:00.0",
    ]


def test_a_position_that_rounds_to_24_hours_is_at_0():
    assert sexagesimal([359.99999, 359.9999], [-0.00001, 5]) == [
        "00:00:00.00 -00:00:00.0",
        "23:59:59.98 +05:00:00.0",
    ]


@pytest.mark.parametrize("site", [SIDING_SPRING, PALOMAR, NORTH, POLE], ids=lambda site: site.name)
@pytest.mark.parametrize("mjd", [61050.0, 61131.3, 61212.6])
def test_what_is_observable_has_hours(site, mjd):
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(0, 360, 300), np.degrees(np.arcsin(rng.uniform(-1, 1, 300)))
    answers, hours = is_observable(ra, dec, site, mjd), hours_above_airmass_2(ra, dec, site, mjd)
    assert answers[hours > 0].all()
    # What is up for less than a step of five minutes has no hours.
    assert (answers & (hours == 0)).sum() <= 3


def test_a_target_without_a_position_may_be_observable():
    places = np.array([np.nan, 100.0]), np.array([0.0, np.nan])
    assert is_observable(*places, SIDING_SPRING, 61050.0).all()


def test_the_darkness_of_a_list_is_computed_once():
    first = darkness(SIDING_SPRING, 61050.0)
    assert darkness(SIDING_SPRING.model_copy(), 61050.0) is first
