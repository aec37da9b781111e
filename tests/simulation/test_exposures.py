from dataclasses import replace

import numpy as np

from fink_al.simulation import exposures, lsst, ztf
from fink_al.simulation.objects import draw


def plan(seed=1, sky=ztf):
    return sky.schedule(60_950, 60_980, 60_990, np.random.default_rng(seed))


def test_exposures_lie_in_palomars_night_in_time_order_in_each_field():
    seen = plan()
    field = np.repeat(np.arange(len(seen.ra)), np.diff(seen.offsets))
    times = np.diff(field * 1e6 + seen.mjd)
    assert times.min() * 24 * 60 > 28
    assert seen.mjd.min() > 60_950
    assert seen.mjd.max() < 60_990
    assert ((seen.mjd % 1 > 0.12) & (seen.mjd % 1 < 0.56)).all()


def test_fields_are_seen_in_g_and_r_in_most_nights_and_seldom_in_i():
    counts = np.mean([np.bincount(plan(seed).band, minlength=3) for seed in range(20)], axis=0)
    # Of 40 nights 30 may be lost as a whole (15%); of the fields of each night 15% are.
    clear = 0.85 * (0.85 * 30 + 10)
    expected = 40 * clear * np.array([0.90, 0.95, 0.06])
    np.testing.assert_allclose(counts, expected, rtol=0.05)


def test_no_night_that_was_asked_for_is_lost():
    for seed in range(20):
        made = np.bincount((plan(seed).mjd - 60_980).astype(int).clip(-1) + 1)[1:]
        assert made.min() > 40  # of 76 in a night without clouds


def test_a_third_of_the_fields_lies_too_far_north_for_the_telescope():
    assert 0.3 < (plan().dec > 20).mean() < 0.4


def test_limits_scatter_about_the_median_depth():
    seen = plan()
    limits = [seen.limit_mag[seen.band == band] for band in range(3)]
    medians = [np.median(limit) for limit in limits]
    np.testing.assert_allclose(medians, [20.7, 20.6, 20.1], atol=0.15)
    assert 0.2 < limits[0].std() < 0.4


def test_what_is_measured_scatters_by_its_error_and_is_detected_above_5_sigma():
    n, rng = 4000, np.random.default_rng(1)
    source = draw(1, 0, 100, 101, {"moving object": 1}, ztf.VIEW, rng)
    source = replace(source, mag=np.full((1, 3), 20.0))
    seen = exposures.Schedule(
        ra=np.zeros(1),
        dec=np.zeros(1),
        offsets=np.array([0, n]),
        mjd=np.linspace(100.1, 100.6, n),
        band=np.zeros(n, int),
        limit_mag=np.full(n, 20.0),
        half_width_deg=1.0,
    )
    points = exposures.observe(source, np.array([0]), seen, rng)
    # At the limit half of the measurements exceed 5 sigma.
    assert abs(points["mag"].notna().mean() - 0.5) < 0.03

    seen.limit_mag[:] = 22.0
    points = exposures.observe(source, np.array([0]), seen, rng)
    flux = 10 ** (-0.4 * (points["mag"] - 27.5))
    error = flux * points["mag_err"] * np.log(10) / 2.5
    # 1000 FLUXCAL at 20 mag; the sky gives a fifth of the limit, calibration 2%.
    assert points["mag"].notna().all()
    sigma = np.hypot(10 ** (-0.4 * (22 - 27.5)) / 5, 20)
    found = [flux.mean(), flux.std(), error.std()]
    np.testing.assert_allclose(found, [1000, sigma, 0], rtol=0.03, atol=1e-6)


def test_objects_lie_in_their_fields():
    seen = plan()
    field, ra, dec = exposures.place(seen, 1000, np.random.default_rng(1))
    across = (ra - seen.ra[field]) * np.cos(np.radians(dec))
    assert np.abs(across).max() < 3.4
    assert np.abs(dec - seen.dec[field]).max() < 3.4


def test_rubin_sees_a_field_every_third_night_in_two_images_of_one_night_of_chile():
    seen = [plan(seed, lsst) for seed in range(20)]
    # Of 40 nights 30 may be lost as a whole (15%); of the fields of each night 15% are.
    visits = np.mean([np.diff(one.offsets).mean() for one in seen])
    np.testing.assert_allclose(visits, 2 * 0.33 * 0.85 * (0.85 * 30 + 10), rtol=0.05)
    for one in seen:
        pairs = one.mjd.reshape(-1, 2)
        assert (np.diff(pairs) > 0.02).all()
        assert (np.floor(pairs - 0.5)[:, 0] == np.floor(pairs - 0.5)[:, 1]).all()
        assert (np.floor(pairs[:, 0]) != np.floor(pairs[:, 0] - 0.5) + 1).any()  # two dates
        assert one.mjd.min() > 60_950.9
        assert one.mjd.max() < 60_990.5


def test_rubins_bands_have_the_shares_of_the_survey():
    counts = np.sum([np.bincount(plan(s, lsst).band, minlength=6) for s in range(40)], axis=0)
    expected = np.array([56, 80, 184, 184, 160, 160]) / 824
    np.testing.assert_allclose(counts / counts.sum(), expected, atol=0.01)


def test_rubins_limits_scatter_about_those_of_the_survey():
    seen = plan(1, lsst)
    medians = [np.median(seen.limit_mag[seen.band == band]) for band in range(6)]
    np.testing.assert_allclose(medians, np.array([23.9, 25, 24.7, 24, 23.3, 22.1]) - 0.3, atol=0.2)
