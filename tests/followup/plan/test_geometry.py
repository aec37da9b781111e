"""Angles above a site against known events, sidereal time, and the arcs of the stream."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import AltAz, EarthLocation, SkyCoord, angular_separation, get_body
from astropy.time import Time
from astropy.utils import iers

from fink_al.followup.dark import is_observable
from fink_al.followup.plan.geometry import geometry
from fink_al.settings import Site

SIDING_SPRING = Site(
    name="Siding Spring", latitude_deg=-31.2733, longitude_deg=149.0612, height_m=1165
)
GREENWICH = Site(name="Greenwich", latitude_deg=51.4779, longitude_deg=0, height_m=0)
NONE = np.array([])


def test_altitude_is_that_of_sidereal_time():
    ra, dec = (grid.ravel() for grid in np.meshgrid(np.arange(0, 360, 45.0), [-70.0, -20, 20]))
    mjd = 51544.5 + np.linspace(0, 1, 9)  # J2000: no precession
    sidereal = 280.46062 + 360.98564737 * (mjd - 51544.5) + SIDING_SPRING.longitude_deg
    angle = np.radians(sidereal - ra[:, None])
    lat, north = np.radians(SIDING_SPRING.latitude_deg), np.radians(dec)[:, None]
    sine = np.sin(lat) * np.sin(north) + np.cos(lat) * np.cos(north) * np.cos(angle)
    found = geometry(SIDING_SPRING, ra, dec, mjd).altitude_deg
    assert found == pytest.approx(np.degrees(np.arcsin(sine)), abs=0.02)


def test_a_known_eclipse_and_a_known_new_moon():
    # Greatest eclipse of the Moon on 2025-09-07 at 18:12 UT, of the Sun on 2026-08-12 at 17:46 UT.
    full = geometry(GREENWICH, NONE, NONE, np.array([60925 + 18.2 / 24]))
    assert full.moon_phase_deg[0] == pytest.approx(0, abs=1.5)
    assert full.moon_illuminated[0] > 0.999
    new = geometry(GREENWICH, NONE, NONE, np.array([61264 + 17.77 / 24]))
    assert new.moon_phase_deg[0] > 178
    assert new.moon_altitude_deg[0] == pytest.approx(new.sun_altitude_deg[0], abs=1.0)


def test_the_first_quarter_by_hand():
    # 2026-01-26 04:47 UT (almanac): half of the disk is lit, and the Sun is 90 deg away.
    seen = geometry(GREENWICH, NONE, NONE, np.array([61066 + 4.8 / 24]))
    assert seen.moon_illuminated[0] == pytest.approx(0.5, abs=0.015)


def test_a_target_at_the_moon_is_at_the_moon():
    mjd = np.array([61050.5])
    seen = geometry(SIDING_SPRING, np.array([0.0, 180.0]), np.array([0.0, 0.0]), mjd)
    assert seen.moon_distance_deg.sum() == pytest.approx(180, abs=0.1)  # opposite directions


def test_targets_are_where_astropy_has_them():
    ra, dec = np.array([5.0, 100, 190, 280]), np.array([-75.0, -30, 10, 60])
    mjd = 61050 + np.linspace(0, 1, 7)
    seen = geometry(SIDING_SPRING, ra, dec, mjd)
    place = EarthLocation.from_geodetic(149.0612 * u.deg, -31.2733 * u.deg, 1165 * u.m)
    frame = AltAz(obstime=Time(mjd, format="mjd"), location=place)
    targets = SkyCoord(ra * u.deg, dec * u.deg)[:, None].transform_to(frame[None, :])
    moon = get_body("moon", Time(mjd, format="mjd"), place).transform_to(frame)
    assert np.abs(seen.altitude_deg - targets.alt.deg).max() < 0.02
    assert np.abs(seen.moon_altitude_deg - moon.alt.deg).max() < 1e-6
    for i in range(len(ra)):
        apart = angular_separation(targets[i].az, targets[i].alt, moon.az, moon.alt).to_value(u.deg)
        assert np.abs(seen.moon_distance_deg[i] - apart).max() < 0.02


def test_airmass():
    seen = geometry(SIDING_SPRING, np.array([10.0]), np.array([-40.0]), 61050 + np.arange(9) / 9)
    up = seen.altitude_deg > 0
    assert {True, False} == set(up.ravel().tolist())
    assert np.isinf(seen.airmass[~up]).all()
    assert seen.airmass[up] == pytest.approx(1 / np.sin(np.radians(seen.altitude_deg[up])))


@pytest.mark.parametrize("begin", [61050.0, 61140.0, 61230.0])
def test_it_agrees_with_the_arcs_of_the_stream(begin):
    ra, dec = (
        grid.ravel() for grid in np.meshgrid(np.arange(0, 360, 20.0), np.arange(-80, 61, 20.0))
    )
    seen = geometry(SIDING_SPRING, ra, dec, begin + np.arange(0, 1, 1 / 480))
    dark = seen.sun_altitude_deg < -18
    expected = ((seen.altitude_deg > 30) & dark).sum(axis=1)
    found = is_observable(ra, dec, SIDING_SPRING, begin)
    clear = (expected == 0) | (expected > 3)  # steps of three minutes
    assert clear.sum() > 120
    assert (found == (expected > 0))[clear].all()


def test_later_dates_need_no_download_and_the_settings_of_astropy_stay(monkeypatch):
    monkeypatch.setattr(iers.conf, "auto_download", True)
    geometry(SIDING_SPRING, NONE, NONE, np.array([61050.0, 70000.0]))
    assert iers.conf.auto_download
