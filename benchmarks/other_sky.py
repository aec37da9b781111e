"""How well the LSST target does on a sky that others simulated: taught, learned, and with hosts.

Needs the two tables of such a sky in a folder. ``alerts.parquet`` has a row an alert: ``alert
diaObjectId type peak_mjd mjd psfFlux`` and host columns ``hostgal_mag_* hostgal_snsep
hostgal_zphot hostgal_zphot_err``. ``points.parquet`` has a row a point: ``alert mjd band psfFlux
psfFluxErr forced``, fluxes in nJy. Host values of -9, 999 and the like are missing.

The teacher is that of the target's default estimator, which has seen no alert of this sky. Gradient
boosting learns from the alerts of half of the objects, at all phases, the same weight an object,
and is judged on the others, once for each split.

    python benchmarks/other_sky.py --data DIR [--splits 6] [--check] [--quick]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from claims import Claim, judge
from sklearn.ensemble import HistGradientBoostingClassifier

from fink_al.alerts import light_curves
from fink_al.alerts.lsst import MAG_OF_NJY
from fink_al.evaluation.metrics import metrics, resample
from fink_al.features.feature_set import FeatureSet
from fink_al.lightcurve import LightCurves
from fink_al.settings import Settings, load_settings
from fink_al.training.teacher import prior_of
from fink_al.training.teaching_set import read_teaching_set

TARGET_TEACHER, TARGET_HOST = 0.70, 0.75
_BANDS = "ugrizy"
_FEW_DETECTIONS = 3
_LARGEST = float(np.finfo(np.float32).max)
_LEAST_VALUES = 20  # of a column that is learned from
_DRAWS = 300  # of the bootstrap, a split
LEARNED = {
    "light curve": (),
    "light curve, host": ("host",),
    "light curve, host, teacher": ("host", "teacher"),
    "light curve, host, photometric redshift": ("host", "redshift"),
    "light curve, host, redshift, teacher": ("host", "redshift", "teacher"),
}


def main() -> None:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of alerts.parquet and points.parquet")
    parser.add_argument("--splits", type=int, default=6, help="splits of the objects")
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    parser.add_argument("--quick", action="store_true", help="300 objects, two splits, few trees")
    options = parser.parse_args()
    if options.data is None or not (options.data / "alerts.parquet").exists():
        where = "--data DIR" if options.data is None else options.data
        print(f"other_sky: no alerts.parquet and points.parquet at {where}: nothing was measured")
        sys.exit(1 if options.check or not options.quick else 0)
    alerts, points = read(options.data, 300 if options.quick else None)
    settings = load_settings(
        environment={"FINK_AL_TARGET": "early_snia_lsst"}, starting_set=None, test_set=None
    )
    curves = light_curves(table(alerts, points), settings.survey)
    positive = (alerts["type"] == "SN Ia").to_numpy()
    phases = phases_of(alerts, curves)
    print(
        f"{len(alerts)} alerts of {alerts['diaObjectId'].nunique()} objects; "
        + "; ".join(f"{n}: {m.sum()}, {positive[m].mean():.0%} positive" for n, m in phases.items())
    )
    values = FeatureSet.from_settings(settings.target.features).extract(curves).values
    taught = teacher(settings, values)
    row = alerts["diaObjectId"].to_numpy()
    found: dict[tuple[str, str], tuple[float, float, float]] = {}
    print(f"{'AUC with its 68% interval':44} " + "".join(f"{n:>24}" for n in phases))
    for name in phases:
        found["teacher", name] = over_splits(taught[None], positive, row, phases[name])
    show("teacher, no label", found, "teacher", phases)
    p = {}
    parts = {"host": host(alerts), "redshift": redshift(alerts), "teacher": taught[:, None]}
    for name, extra in LEARNED.items():
        inputs = np.column_stack([values, *(parts[each] for each in extra)])
        trees = 20 if options.quick else 200
        p[name] = learned(inputs, positive, row, 2 if options.quick else options.splits, trees)
        for phase, mask in phases.items():
            found[name, phase] = over_splits(p[name], positive, row, mask)
        show(f"learned, {name}", found, name, phases)
    first = next(iter(phases))
    claims = []
    for name, key, target in (
        ("other_sky_teacher", "teacher", TARGET_TEACHER),
        ("other_sky_host", "light curve, host", TARGET_HOST),
    ):
        value = found[key, first][0]
        claims.append(Claim(name, value, f"AUC {first}", target, value >= target, digits=3))
    judge(claims, options.check)


def read(folder: Path, most: int | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Alerts and their points, of at most so many objects; alerts in order of their number."""
    alerts = pd.read_parquet(folder / "alerts.parquet").sort_values("alert", ignore_index=True)
    points = pd.read_parquet(folder / "points.parquet")
    if most:
        alerts = alerts[alerts["diaObjectId"].isin(alerts["diaObjectId"].unique()[:most])]
        alerts = alerts.reset_index(drop=True)
    points = points[points["alert"].isin(alerts["alert"])]
    return alerts, points.sort_values(["alert", "mjd"], kind="stable", ignore_index=True)


def table(alerts: pd.DataFrame, points: pd.DataFrame) -> pa.Table:
    """Columns as the stream decodes them: sources with the prefix c, forced photometry with f."""
    columns = {"object_id": pa.array(alerts["diaObjectId"].astype(str), pa.string())}
    for prefix, part in (("c", points[~points["forced"]]), ("f", points[points["forced"]])):
        ends = np.searchsorted(part["alert"], alerts["alert"], "right")
        offsets = pa.array(np.concatenate([[0], ends]), pa.int32())
        lists = {
            "midpointMjdTai": part["mjd"].to_numpy(float),
            "band": part["band"].map(_BANDS.index).to_numpy(np.int32),
            "psfFlux": part["psfFlux"].to_numpy(float),
            "psfFluxErr": part["psfFluxErr"].to_numpy(float),
        }
        if prefix == "c":
            lists["flag"] = np.zeros(len(part), np.int32)
        for name, flat in lists.items():
            columns[prefix + name] = pa.ListArray.from_arrays(offsets, pa.array(flat))
    return pa.table(columns)


def phases_of(alerts: pd.DataFrame, curves: LightCurves) -> dict[str, np.ndarray]:
    """Masks of the alerts that are judged together; forced photometry is no detection."""
    detections = np.bincount(curves.alert_of_point()[curves.is_detection], minlength=len(curves))
    early = (alerts["mjd"] <= alerts["peak_mjd"]).to_numpy()
    few = detections <= _FEW_DETECTIONS
    return {
        "before the peak": early,
        "1 to 3 detections": few,
        "both": early & few,
        "all phases": np.ones(len(alerts), bool),
    }


def teacher(settings: Settings, values: np.ndarray) -> np.ndarray:
    """Probability by the teacher of the target's default estimator, shape (n,)."""
    teaching = read_teaching_set(
        settings.teaching_set, settings.target, settings.taxonomy, survey=settings.survey
    )
    prior = prior_of(settings.target, settings.target.features, teaching)
    assert prior
    return prior.forest.predict_proba(bounded(values[:, prior.columns]))[:, 1]


def host(alerts: pd.DataFrame) -> np.ndarray:
    """Magnitudes, colours and offset of the host, and how much brighter it is than the alert."""
    mags = alerts[[f"hostgal_mag_{band}" for band in "ugrizY"]].to_numpy(float, copy=True)
    mags[(mags < 0) | (mags > 90)] = np.nan
    offset = alerts["hostgal_snsep"].to_numpy(float, copy=True)
    offset[offset < 0] = np.nan
    flux = np.where(alerts["psfFlux"] > 0, alerts["psfFlux"], np.nan)
    contrast = MAG_OF_NJY - 2.5 * np.log10(flux) - mags[:, 2]
    return np.column_stack([mags, mags[:, :-1] - mags[:, 1:], offset, contrast])


def redshift(alerts: pd.DataFrame) -> np.ndarray:
    """Photometric redshift of the host and its error; NaN without one."""
    found = alerts[["hostgal_zphot", "hostgal_zphot_err"]].to_numpy(float, copy=True)
    found[found < 0] = np.nan
    return found


def learned(
    values: np.ndarray, positive: np.ndarray, row: np.ndarray, splits: int, trees: int
) -> np.ndarray:
    """Probability of each alert of the half that judges, shape (splits, n); NaN in the other."""
    _, own, counts = np.unique(row, return_inverse=True, return_counts=True)
    p = np.full((splits, len(row)), np.nan)
    for seed in range(splits):
        order = np.random.default_rng(seed).permutation(len(counts))
        teaches = np.isin(own, order[: len(order) // 2])
        use = np.isfinite(values[teaches]).sum(axis=0) >= _LEAST_VALUES
        boosting = HistGradientBoostingClassifier(
            learning_rate=0.05, max_iter=trees, max_leaf_nodes=8, l2_regularization=1.0,
            random_state=seed,
        )  # fmt: skip
        inputs = bounded(values[:, use])
        boosting.fit(inputs[teaches], positive[teaches], 1 / counts[own][teaches])
        p[seed, ~teaches] = boosting.predict_proba(inputs[~teaches])[:, 1]
    return p


def over_splits(
    p: np.ndarray,
    positive: np.ndarray,
    row: np.ndarray,
    mask: np.ndarray,
    by_object: bool = False,
    draws: int = _DRAWS,
    beside: np.ndarray | None = None,
) -> tuple[float, float, float]:
    """Return AUC, mean over splits, and its 68% interval over splits and resampled objects.

    With `by_object` every object weighs the same, however many alerts it has. With the
    probabilities of another way `beside`, of the shape of `p`, it is by how much the AUC is higher,
    sample by sample.
    """
    means, drawn = [], []
    for split, each in enumerate(p):
        use = mask & ~np.isnan(each)
        _, own, counts = np.unique(row[use], return_inverse=True, return_counts=True)
        weights = 1 / counts[own] if by_object else np.ones(len(own))
        samples = np.vstack([weights, weights * resample(row[use], draws)])
        auc = metrics(each[use], positive[use], samples)["auc"]
        if beside is not None:
            auc = auc - metrics(beside[split, use], positive[use], samples)["auc"]
        means.append(auc[0])
        drawn.append(auc[1:])
    # A sample of few objects may be of one class.
    low, high = np.nanpercentile(np.concatenate(drawn), [16, 84])
    return float(np.mean(means)), float(low), float(high)


def show(name: str, found: dict, key: str, phases: Iterable[str]) -> None:
    """Print a line of the table."""
    cells = ("{:.3f} ({:.3f} to {:.3f})".format(*found[key, phase]) for phase in phases)
    print(f"{name:44} " + "".join(f"{cell:>24}" for cell in cells), flush=True)


def bounded(values: np.ndarray) -> np.ndarray:
    """Values that single precision can hold, as in the estimators."""
    return np.clip(values, -_LARGEST, _LARGEST)


if __name__ == "__main__":
    main()
