"""Speed of the features against plain SciPy, their growth, memory, first call and full set.

Worst case: every alert rises in both bands, so every band is fitted. One core.

    python benchmarks/features.py [--check] [--quick]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
from claims import Claim, judge  # noqa: E402

from fink_al.features.feature_set import FeatureSet  # noqa: E402
from fink_al.lightcurve import LightCurves  # noqa: E402
from fink_al.settings import FeatureSettings  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "features"))
from plain_sigmoid import sigmoid_features  # noqa: E402

_NIGHTS = 7
_PLAIN_ALERTS, _REPEATS = 300, 5


def rising(n: int, seed: int = 1) -> LightCurves:
    """`n` alerts that rise in g and r on `_NIGHTS` nights each."""
    rng = np.random.default_rng(seed)
    t = np.arange(_NIGHTS) * 2.0
    a, b, c = rng.uniform(0.15, 0.6, n), rng.uniform(4, 10, n), rng.uniform(500, 5000, n)
    flux = c[:, None] / (1 + np.exp(-a[:, None] * (t - b[:, None])))
    flux = np.sort(flux * rng.normal(1, 0.03, flux.shape), axis=1)  # noise that still rises
    both = np.stack([flux, 0.9 * flux], axis=1).reshape(n, -1)
    points = both.size
    none = np.zeros(points, bool)
    return LightCurves(
        offsets=np.arange(n + 1) * 2 * _NIGHTS,
        mjd=np.tile(59000.3 + np.concatenate([t, t + 0.02]), n),
        band=np.tile(np.repeat([0, 1], _NIGHTS), n),
        flux=both.ravel(),
        flux_err=np.full(points, 20.0),
        is_upper_limit=none,
        is_forced=none,
        bands=("g", "r"),
        context=pa.table({}),
    )


def feature_set(name: str) -> FeatureSet:
    """Feature set `name` with the published parameters."""
    return FeatureSet.from_settings(
        FeatureSettings(
            name=name,
            bands=("g", "r"),
            criterion="ewma",
            min_data_points=3,
            min_rising_points=1,
        )
    )


def seconds(features: FeatureSet, n: int) -> float:
    """Least of several times that `features` take for `n` fresh alerts."""
    times = []
    for seed in range(_REPEATS if n <= 100_000 else 1):
        curves = rising(n, seed)
        since = time.perf_counter()
        features.extract(curves)
        times.append(time.perf_counter() - since)
    return min(times)


def plain_seconds(n: int) -> float:
    """Time of the plain implementation for `n` of the same alerts."""
    curves = rising(n, 0)
    since = time.perf_counter()
    for i in range(n):
        rows = slice(curves.offsets[i], curves.offsets[i + 1])
        for band in (0, 1):
            use = curves.band[rows] == band
            sigmoid_features(
                curves.mjd[rows][use], curves.flux[rows][use], curves.flux_err[rows][use]
            )
    return time.perf_counter() - since


def extra_bytes(n: int) -> float:
    """Bytes a point that the twelve features of `n` alerts need beyond their input."""
    code = (
        "import resource, sys; sys.argv = ['']; import features as f;"
        "s = f.feature_set('sigmoid'); s.extract(f.rising(10));"
        f"c = f.rising({n}); peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "now = int(open('/proc/self/statm').read().split()[1]) * resource.getpagesize() / 1024;"
        # What making the input took stays in the highest mark: fill it before measuring.
        "import numpy as np; fill = np.ones(int(max(0, peak() - now) * 1024 / 8)); before = peak();"
        "s.extract(c); print((peak() - before) * 1024 / c.n_points)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, text=True
    )
    return float(done.stdout) if done.returncode == 0 else float("nan")


def first_call() -> float:
    """Seconds from the start of a process to its first features, compiled code being kept."""
    code = "import features as f; f.feature_set('early_v1').extract(f.rising(10))"
    since = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent, check=True)
    return time.perf_counter() - since


def main() -> None:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    parser.add_argument("--quick", action="store_true", help="few alerts: only shows that it runs")
    options = parser.parse_args()
    twelve, full = feature_set("sigmoid"), feature_set("early_v1")
    for features in (twelve, full):
        features.extract(rising(10))  # compiles
    n_plain, largest = (20, 10_000) if options.quick else (_PLAIN_ALERTS, 1_000_000)
    plain = plain_seconds(n_plain) / n_plain
    print(f"plain pandas and SciPy: {1 / plain:.0f} alerts/s")
    per_alert = {}
    n = 1000
    while n <= largest:
        per_alert[n] = seconds(twelve, n) / n
        print(f"twelve features of {n} alerts: {1 / per_alert[n]:.0f} alerts/s", flush=True)
        n *= 10
    at = min(largest, 10_000)
    speed = plain / per_alert[at]
    cost = seconds(full, at) / seconds(twelve, at)
    print(f"early_v1, {len(full.names)} features: {cost:.2f} times the time of the twelve")
    growth = per_alert[largest] / per_alert[1000]
    claims = [
        Claim("features_speed", speed, "times plain SciPy", 400.0, speed >= 400),
        Claim("features_speed_least", speed, "times plain SciPy", 250.0, speed >= 250),
        Claim(
            "features_growth", growth, f"x a alert from 1e3 to {largest:.0e}", 1.5, growth <= 1.5
        ),
        Claim("features_full_set", cost, "x the twelve", 3.0, cost <= 3),
    ]
    if sys.platform == "linux":
        memory = extra_bytes(largest)
        claims.append(Claim("features_memory", memory, "bytes a point", 100.0, memory <= 100))
    start = first_call()
    claims.append(Claim("features_first_call", start, "s", 2.0, start <= 2))
    judge(claims, options.check)


if __name__ == "__main__":
    main()
