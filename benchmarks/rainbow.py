"""Speed of the fit over all bands against RainbowFit of light-curve, and how far both agree.

One core. Without the packages light-curve and iminuit only the speed is measured. They agree where
the two costs (chi2 and the prior's) differ by less than 0.1; the fluxes of the models are compared
there, in units of a point's error, as the parameters of some light curves are degenerate.

    python benchmarks/rainbow.py [--check] [--quick]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
from claims import Claim, judge  # noqa: E402

from fink_al.features.rainbow.black_body import CHANGE_PRIOR, N_PARAMETERS  # noqa: E402
from fink_al.features.rainbow.feature import Rainbow  # noqa: E402
from fink_al.lightcurve import LightCurves  # noqa: E402
from fink_al.settings import load_survey  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "features"))
from plain_rainbow import model  # noqa: E402

_REPEATS = 5


def simulated(n: int, wavelengths_nm: tuple[float, ...], seed: int = 1) -> LightCurves:
    """`n` transients that brighten and cool or heat, with 8 to 30 points in all bands."""
    rng = np.random.default_rng(seed)
    waves = np.array(wavelengths_nm)
    points: list[tuple[np.ndarray, ...]] = []
    for _ in range(n):
        count = int(rng.integers(8, 31))
        t = np.sort(rng.uniform(0, rng.uniform(10, 30), count))
        band = rng.integers(0, len(waves), count)
        band[:2] = 0, 1
        middle, change = rng.uniform(6e3, 2e4), rng.uniform(-0.1, 0.5)
        flux = model(
            t, waves[band], rng.uniform(0.2, 0.9) * t[-1], rng.uniform(1, 6),
            rng.uniform(500, 5000), middle * (1 - change), middle * (1 + change),
            rng.uniform(2, 10), waves.mean(),
        )  # fmt: skip
        error = rng.uniform(15, 40, count) + 0.02 * np.abs(flux)
        points.append((59000 + t, band, flux + rng.normal(0, error), error))
    mjd, code, measured, flux_err = (np.concatenate(column) for column in zip(*points, strict=True))
    none = np.zeros(len(mjd), bool)
    return LightCurves(
        offsets=np.concatenate([[0], np.cumsum([len(p[0]) for p in points])]),
        mjd=mjd,
        band=code,
        flux=measured,
        flux_err=flux_err,
        is_upper_limit=none,
        is_forced=none,
        bands=("g", "r", "i")[: len(waves)],
        context=pa.table({}),
    )


def reference(feature: Rainbow) -> Any:
    """The package's fit with the same bands; None if the package is not there."""
    try:
        import iminuit  # noqa: F401
        from light_curve.light_curve_py import RainbowFit
    except ImportError:
        return None
    known = dict(zip(feature.bands, feature.wavelengths_nm, strict=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it calls itself experimental
        return RainbowFit.from_nm(
            known, with_baseline=False, bolometric="sigmoid", temperature="sigmoid"
        )


def compare(fit: Any, feature: Rainbow, curves: LightCurves) -> tuple[float, list[float]]:
    """Seconds of a fit of the package; cost of ours less its, and the largest distance of models.

    Returns
    -------
    seconds : float
        A fit, its failures included.
    rows : array, shape (m, 2)
        Of the fits that it made.
    """
    waves, bands = np.array(feature.wavelengths_nm), np.array(feature.bands)
    values = feature.extract(curves)[0]
    rows, spent = [], 0.0
    for i, ours in enumerate(values):
        at = slice(curves.offsets[i], curves.offsets[i + 1])
        t, flux, error = curves.mjd[at], curves.flux[at], curves.flux_err[at]
        band = bands[curves.band[at]]
        since = time.perf_counter()
        try:
            theirs = fit(t, flux, error, band)
        except RuntimeError:
            continue
        finally:
            spent += time.perf_counter() - since
        named = dict(zip(fit.names, theirs, strict=False))
        predicted = fit.model(t, band, *theirs[:-1])
        cost = np.sum(((flux - predicted) / error) ** 2)
        cost += (named["T_amplitude"] / CHANGE_PRIOR) ** 2
        change = (ours[4] - ours[3]) / (ours[4] + ours[3])
        mine = ours[6] * (len(t) - N_PARAMETERS) + (change / CHANGE_PRIOR) ** 2
        own = model(t - t[0], waves[curves.band[at]], *ours[:6], waves.mean())
        rows.append((mine - cost, np.abs((own - predicted) / error).max()))
    return spent / len(values), rows


def main() -> None:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    parser.add_argument("--quick", action="store_true", help="few alerts: only shows that it runs")
    options = parser.parse_args()
    survey = load_survey("ztf")
    feature = Rainbow(survey.bands, tuple(survey.wavelengths_nm[b] for b in survey.bands))
    curves = simulated(200 if options.quick else 2000, feature.wavelengths_nm)
    feature.extract(curves.slice(0, 1))  # compiles
    times = []
    for _ in range(_REPEATS):
        since = time.perf_counter()
        feature.extract(curves)
        times.append(time.perf_counter() - since)
    ours = min(times) / len(curves)
    print(f"{len(curves)} alerts of 8 to 30 points: {1 / ours:.0f} fits/s")
    fit = reference(feature)
    if fit is None:
        print("No comparison: pip install light-curve iminuit, for RainbowFit.")
        return
    few = curves.slice(0, 20 if options.quick else 500)
    theirs, rows = compare(fit, feature, few)
    print(f"RainbowFit: {1 / theirs:.0f} fits/s, {len(few) - len(rows)} of {len(few)} failed")
    difference, distance = np.array(rows).T
    same = np.abs(difference) < 0.1
    print(f"same minimum: {same.mean():.1%}; ours deeper: {(difference < -0.1).mean():.1%}")
    no_worse, far = (difference < 0.1).mean(), np.quantile(distance[same], 0.99)
    claims = [
        Claim("rainbow_speed", theirs / ours, "times RainbowFit", 100.0, theirs / ours >= 100),
        Claim("rainbow_minimum", no_worse, "of the fits no worse than its", 0.95, no_worse >= 0.95),
        Claim(
            "rainbow_flux",
            far,
            "errors of a point between models, 99th percentile",
            0.3,
            far <= 0.3,
        ),
    ]
    judge(claims, options.check)


if __name__ == "__main__":
    main()
