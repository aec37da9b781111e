"""Records of the past against a plain count over packets, and rows of the archive with them."""

import numpy as np
import pytest

from fink_al.alerts import light_curves
from fink_al.features.feature_set import FeatureSet
from fink_al.features.past_columns import OF_BAND
from fink_al.settings import load_settings
from fink_al.simulation.lens_alerts import BANDS, packets_at, random_detections, simulate_sky
from fink_al.simulation.lens_rows import archived
from fink_al.simulation.past import past_of

_WINDOW = 30


@pytest.fixture(scope="module")
def sky():
    return simulate_sky(60, None, 4, past_days=365)


@pytest.fixture(scope="module")
def rows(sky):
    return random_detections(sky.curves, np.random.default_rng(1), 365 + _WINDOW, most=2)


def remembered(curves, row, since):
    """Points that packets up to the last night before the window held, by a loop over packets."""
    (i,) = curves.alert_of_point()[[row]]
    points = np.arange(curves.offsets[i], curves.offsets[i + 1])
    last_night = np.floor(curves.mjd[row]) - _WINDOW - 1
    known = set()
    for alert in points[np.abs(curves.flux[points]) > 5 * curves.flux_err[points]]:
        if since <= curves.mjd[alert] and np.floor(curves.mjd[alert]) <= last_night:
            age = curves.mjd[alert] - curves.mjd[points]
            known |= set(points[(age >= 0) & (age <= _WINDOW)].tolist())
    return np.array(sorted(known), int)


def test_a_record_is_that_of_the_packets_before_the_window(sky, rows):
    curves, some = sky.curves, rows
    since = np.full(len(some), sky.first_mjd + 50.0)
    found = past_of(curves, some, since, _WINDOW, curves.offsets[:-1])
    counts = {0: 0, 1: 0}
    for k, row in enumerate(some):
        points = remembered(curves, row, since[k])
        for code, band in enumerate(BANDS):
            own = points[curves.band[points] == code]
            record = {name: found[f"past_{name}_{band}"][k] for name in OF_BAND}
            assert record["n"] == len(own)
            counts[min(len(own), 1)] += 1
            if not len(own):
                assert np.isnan([v for name, v in record.items() if name != "n"]).all()
                continue
            mjd, flux, error = curves.mjd[own], curves.flux[own], curves.flux_err[own]
            mean = np.average(flux, weights=error**-2)
            assert record["mean"] == pytest.approx(mean)
            scatter = np.sqrt(np.average((flux - mean) ** 2, weights=error**-2))
            assert record["scatter"] == pytest.approx(scatter, abs=1e-6)
            low = [record[name] for name in ("low", "median", "high")]
            np.testing.assert_allclose(low, np.quantile(flux, [0.1, 0.5, 0.9]))
            assert record["last"] == mjd.max()
            quiet = mjd[np.abs(flux) < 3 * error]
            np.testing.assert_equal(
                record["quiet"], quiet.max(initial=-1) if len(quiet) else np.nan
            )
            if len(own) > 1:
                slope = np.polyfit(mjd - mjd[0], flux, 1, w=1 / error)[0]
                assert record["slope"] == pytest.approx(slope, rel=1e-4, abs=1e-6)
    assert min(counts.values()) > 5


def test_without_a_memory_all_is_null(sky, rows):
    found = past_of(sky.curves, rows, np.full(len(rows), np.nan), _WINDOW, sky.curves.offsets[:-1])
    assert all(np.isnan(values).all() for values in found.values())


def test_rows_of_the_archive_give_the_features_of_the_packets(sky, rows):
    settings = load_settings(environment={}, target="microlensing")
    features = FeatureSet.from_settings(settings.target.features)
    since = np.full(len(rows), sky.first_mjd)
    alerts = archived(sky, rows, since, 1)
    ours = features.extract(light_curves(alerts, settings.survey)).values
    theirs = features.extract(packets_at(sky, rows, since)).values
    names = features.names
    # A packet also has limits, of which the simulated points know nothing.
    same = [i for i, name in enumerate(names) if not name.startswith(("limit", "lens", "forced"))]
    for i in same:
        close = np.isclose(ours[:, i], theirs[:, i], rtol=0.02, atol=0.02, equal_nan=True)
        assert close.mean() > 0.97, names[i]
