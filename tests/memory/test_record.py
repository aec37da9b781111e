"""Records are what all epochs at once give, however they came."""

from itertools import pairwise

import numpy as np
import pytest
from remembered import curves

from fink_al.features.microlensing.points import lens_points
from fink_al.memory.record import BINS, LAST, N, Records, merged

T0 = 61000.0


def records(*alerts, **bounds):
    return Records.of_points(lens_points(curves(alerts), forced=True), 2, **bounds)


def epochs(rng, n, offset=0.0):
    t = T0 + np.sort(rng.uniform(0, 3000, n))
    error = rng.uniform(5, 200, n)
    return list(zip(t, [0] * n, offset + rng.normal(0, error), error, strict=True))


def test_values_are_those_of_numpy():
    points = epochs(np.random.default_rng(1), 500, 200.0)
    values = {name: v[0, 0] for name, v in records(points).values().items()}
    t, _, flux, error = np.array(points).T
    w = error**-2
    mean = np.average(flux, weights=w)
    slope, _ = np.polyfit(t - T0, flux, 1, w=1 / error)
    quiet = t[np.abs(flux) < 3 * error]
    assert values["n"] == 500
    assert values["mean"] == pytest.approx(mean, rel=1e-12)
    assert values["scatter"] == pytest.approx(np.sqrt(np.average((flux - mean) ** 2, weights=w)))
    assert values["slope"] == pytest.approx(slope, rel=1e-9)
    assert values["last"] == pytest.approx(t[-1], abs=1e-6)
    assert values["quiet"] == pytest.approx(quiet[-1], abs=1e-6)


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_any_split_in_any_order_gives_the_whole(offset):
    rng = np.random.default_rng(2)
    points = epochs(rng, 300, offset)
    whole = records(points)
    for _ in range(5):
        shuffled = [points[i] for i in rng.permutation(len(points))]
        cuts = [0, *sorted(rng.integers(0, len(points), 12)), len(points)]
        both = Records.empty(1, 2)
        for a, b in pairwise(cuts):
            if b > a:
                both = merged(both, records(shuffled[a:b]))
        np.testing.assert_allclose(both.sums, whole.sums, rtol=1e-9)
        np.testing.assert_array_equal(both.counts, whole.counts)


def test_a_limit_is_a_quiet_epoch_and_an_empty_band_has_no_values():
    made = records([(T0, 0, 50.0, None), (T0, 0, 50.0, 1.0), (T0 + 1, 0, 30.0, None)])
    values = made.values()
    assert values["n"].tolist() == [[2, 0]]  # a detection replaces the limit of its exposure
    assert values["last"][0, 0] == values["quiet"][0, 0] == T0 + 1
    assert all(np.isnan(v[0, 1]) for name, v in values.items() if name != "n")


def test_only_epochs_between_the_bounds_are_taken():
    points = [(T0 + day, 0, 1.0, 1.0) for day in range(10)]
    after = np.array([[T0 + 3 + 1e-6, np.nan]])  # the same exposure, by another packet's clock
    made = records(points, after=after, until=T0 + 8)
    assert made.sums[0, 0, N] == 4
    assert made.sums[0, 0, LAST] == T0 + 7


def test_epochs_of_one_time_have_no_slope():
    made = records([(T0, 1, 5.0, 1.0)])
    assert np.isnan(made.values()["slope"][0, 1])
    assert made.values()["median"][0, 1] == pytest.approx(5.0)


def test_counts_stay_at_their_largest():
    full = Records.empty(1, 1)
    full.counts[:] = 65535
    full.sums[..., :2] = 65535 * BINS
    more = Records(full.sums.copy(), np.ones_like(full.counts))
    assert (merged(full, more).counts == 65535).all()


def test_quantiles_are_as_good_as_is_said():
    rng = np.random.default_rng(3)
    wide = {
        "constant": lambda n: rng.normal(0, 100, n),
        "variable": lambda n: 800 * np.sin(rng.uniform(0, 2 * np.pi, n)) + rng.normal(0, 80, n),
        "flaring": lambda n: rng.lognormal(5, 1.5, n),
    }
    narrow = {
        "bright and constant": lambda n: rng.normal(20000, 300, n),
        "faint": lambda n: rng.normal(0, 3, n),
        "fainter than the template": lambda n: -rng.lognormal(6, 0.5, n),
    }
    for name, sky in (wide | narrow).items():
        for n in (30, 500):
            fluxes = np.array([sky(n) for _ in range(40)])
            made = records(*([(T0 + i, 0, f, 1.0) for i, f in enumerate(each)] for each in fluxes))
            found = np.array([made.values()[q][:, 0] for q in ("low", "median", "high")])
            true = np.quantile(fluxes, [0.1, 0.5, 0.9], axis=1, method="hazen")
            wrong = np.abs(found - true) / fluxes.std(axis=1)
            assert wrong.max() < 3, (name, n)
            assert name in narrow or (wrong.mean(axis=1) < 0.3).all(), (name, n)
