import numpy as np
import pytest

from fink_al.simulation import lenses
from fink_al.simulation.lens_rows import TYPES
from fink_al.simulation.periodic import PERIODIC

N = 40


def drawn(kind, n=N, days=400.0):
    """Brightness and periods of `n` stars, at 2000 times."""
    t = np.linspace(0, days, 2000)
    index, mjd = np.repeat(np.arange(n), len(t)), np.tile(t, n)
    change, period = PERIODIC[kind][0](n, index, mjd, np.random.default_rng(1))
    return t, change.reshape(n, len(t)), period


@pytest.mark.parametrize(
    ("kind", "periods", "sizes"),
    [
        ("RR Lyrae", (0.22, 0.9), (0.19, 1.1)),
        ("Cepheid", (1, 60), (0.09, 1.0)),
        ("eclipsing binary", (0.22, 60), (0.05, 1.5)),
        ("semi-regular", (20, 200), (0.03, 1.4)),
        ("spotted star", (0.3, 100), (0.03, 0.81)),
    ],
)
def test_periods_and_amplitudes_are_those_of_the_sources(kind, periods, sizes):
    _, change, period = drawn(kind)
    assert periods[0] <= period.min() < period.max() <= periods[1]
    size = np.ptp(change, axis=1)
    assert sizes[0] <= size.min() < size.max() <= sizes[1]


@pytest.mark.parametrize("kind", ["RR Lyrae", "Cepheid", "eclipsing binary"])
def test_a_period_later_the_star_is_as_bright(kind):
    model = PERIODIC[kind][0]
    index, t = np.repeat(np.arange(N), 30), np.tile(np.arange(30.0), N)
    _, period = model(N, index, t, np.random.default_rng(1))
    both = [model(N, index, t + k * period[index], np.random.default_rng(1))[0] for k in (0, 1)]
    np.testing.assert_allclose(*both, atol=1e-6)


def test_pulsating_stars_rise_faster_than_they_fall():
    _, change, period = drawn("Cepheid", days=60.0)
    for star in change[period > 5]:
        steps = np.diff(star)
        assert (steps > 0).sum() <= 1.1 * (steps < 0).sum()


def test_eclipses_are_below_constant_light():
    _, change, _ = drawn("eclipsing binary")
    assert change.max() <= 0
    detached = np.median(change, axis=1) == 0
    assert 0.2 < detached.mean() < 0.8


def test_every_kind_is_a_variable_star_of_the_sky_and_larger_in_g_than_in_r():
    stars = lenses.Stars(np.full((N, 2), 1000.0), np.zeros(N))
    index, mjd = np.repeat(np.arange(N), 200), np.tile(np.linspace(0, 200, 200), N)
    for kind, (_, ratio, _share) in PERIODIC.items():
        assert TYPES[kind] == "Variable star"
        size = [
            np.ptp(
                lenses.OTHERS[kind][0](
                    stars, index, mjd, np.full(len(mjd), band), np.random.default_rng(1)
                )[0]
            )
            for band in (0, 1)
        ]
        assert size[0] > size[1] or ratio < 1.1
