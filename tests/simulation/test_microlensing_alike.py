"""The real light curves of benchmarks/microlensing.py are made alike fairly."""

import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
EVENTS, STARS = 24, 8


@pytest.fixture
def alike(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("microlensing_alike")


@pytest.fixture
def real(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("microlensing_real")


def table(alike):
    """Bright events in three seasons, and faint sinusoids in three months with gaps."""
    rng, parts = np.random.default_rng(1), []
    for k in range(EVENTS):
        season = np.sort(rng.uniform(0, 240, (3, 60)), axis=1)
        t = (season + np.array([[0], [365], [730]])).ravel()
        u = np.hypot(0.3, (t - rng.uniform(60, 180) - 365) / np.geomspace(8, 80, EVENTS)[k])
        parts.append(
            (f"e{k}", "microlensing", t, 16 + 0.1 * k - 2.5 * np.log10(1 + alike.excess(u)), 0.02)
        )
    for k in range(STARS):
        t = np.sort(rng.choice(88, 36, replace=False)) + rng.uniform(-0.05, 0.05, 36)
        parts.append((f"v{k}", "variable", t, 20 + 0.3 * np.sin(t), 0.05 + 0.02 * k))
    frames = [
        pd.DataFrame({"object": o, "kind": kind, "jd": t,
                      "mag": mag + error * rng.normal(size=len(t)), "mag_err": error})
        for o, kind, t, mag, error in parts
    ]  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def test_both_of_a_pair_have_the_same_times_and_errors_and_all_are_used(alike):
    pairs = alike.paired(table(alike), np.random.default_rng(1))
    assert len(pairs) == EVENTS
    assert np.bincount([pair.variable for pair in pairs]).tolist() == [EVENTS // STARS] * STARS
    for pair in pairs:
        event, star = (alike.difference(pair.days, flux, pair.error) for flux in pair.flux)
        # Number of points, span, cadence and errors: who sees these alone can only guess.
        np.testing.assert_array_equal(event[0], star[0])
        np.testing.assert_array_equal(event[2], star[2])
        assert np.median(event[1]) == pytest.approx(0, abs=1e-12)
        assert np.median(star[1]) == pytest.approx(0, abs=1e-12)
        assert len(pair.days) >= alike.LEAST_POINTS
        assert np.abs(pair.moved - pair.days).max() < alike.NEAR_DAYS
        assert (np.diff(pair.days) > 0).all()


def test_noise_makes_up_for_the_smaller_errors(alike):
    pairs = alike.paired(table(alike), np.random.default_rng(1))
    left = [pair.flux[0] - np.median(pair.flux[0]) for pair in pairs]
    quiet = [
        np.abs(flux[flux < 0.2]) / p.error[flux < 0.2] for p, flux in zip(pairs, left, strict=True)
    ]
    assert 0.5 < np.median(np.concatenate(quiet)) < 1.0  # 0.67 for noise alone


def test_a_window_holds_the_whole_event(alike):
    pairs = alike.paired(table(alike), np.random.default_rng(1))
    stretch = np.array([pair.stretch for pair in pairs])
    assert stretch[0] == 1
    assert (np.diff(stretch[-6:]) > 0).all()
    for pair in pairs:
        bright = pair.flux[0] > 1 + 0.5 * (pair.flux[0].max() - 1)
        assert 0 < bright.sum() < len(bright) / 2


def test_the_width_is_that_between_quarters_of_the_peak(alike):
    t = np.linspace(-100, 100, 200_001)
    flux = alike.excess(np.hypot(0.4, t / 20))
    above = t[flux > flux.max() / 4]
    assert alike.width_of(0.4, 20.0) == pytest.approx(above[-1] - above[0], rel=1e-3)


def test_simulated_stars_have_the_times_and_errors_of_the_pairs(alike, real):
    pairs = alike.paired(table(alike), np.random.default_rng(1))[:3]
    curves, positive = real.simulated(pairs, 4, 1)
    assert positive.sum() == 12
    assert len(curves) == 24
    sizes = np.diff(curves.offsets)
    assert sizes.tolist() == np.repeat([len(p.days) for p in pairs], 8).tolist()
    events = np.add.reduceat(curves.flux, curves.offsets[:-1])[positive]
    assert (events > 0).mean() > 0.8
