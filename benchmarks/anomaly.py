"""Number of anomalies that an expert sees in the first looks, by the forest that chooses them.

Three skies. `real`: typed light curves of ``ztf_supernovae.parquet`` and the other objects of
``ztf_fink_nonIa_fullLC.parquet`` without non-detections, which the second lacks. Wanted are TDE,
SLSN, SN Ibn and Icn, LBV, LRN and what is over within days; all else, and all SN Ia, is usual. Each
seed takes half of the objects, and four alerts of each, at any phase. `artefacts`: a simulated
stream of ZTF before any cut, in which about one object in seven is bogus and TDE are wanted. There
each object has up to four alerts, and the features hold the scores of real/bogus. `lsst`: the same
of LSST, with the features of the target `anomaly_lsst`.

No label is known at first. Each night the most anomalous objects that were not seen are looked at,
each by its oddest alert; the expert's answers teach the forest. `random` takes objects at random.
An estimator with ``_drawn`` after its name takes each night what the target's draw with known odds
gives, instead of the most anomalous.
Errors are those of the mean over seeds; the ratio is that of the means, its error by resampled
seeds.

    python benchmarks/anomaly.py [--data DIR] [--seeds 8] [--arms ARMS] [--per-night 10]
        [--sky real,artefacts,lsst] [--check] [--quick]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from claims import Claim, judge

from fink_al.alerts import light_curves
from fink_al.alerts.points import light_curves_of_points
from fink_al.draws import priorities, weights
from fink_al.experiments.labelled_alerts import some_of_each
from fink_al.features.feature_set import FeatureSet
from fink_al.lightcurve import LightCurves
from fink_al.models.estimators.background import Background
from fink_al.models.estimators.estimator import fit_estimator, predict
from fink_al.settings import FeatureSettings, ModelSettings, Settings, load_settings
from fink_al.simulation.nights import simulate
from fink_al.training.nightly_alerts import NightlyAlerts, cut_into_alerts

_DATA = Path(__file__).parents[2] / "shared/data/labelled"
_SUPERNOVAE, _OTHERS = "ztf_supernovae.parquet", "ztf_fink_nonIa_fullLC.parquet"
_WANTED = (
    "TDE", "TDE-H", "TDE-He", "TDE-H-He", "SLSN-I", "SLSN-II", "SLSN-R", "SN Ibn", "SN Icn",
    "SN Ibn/Icn", "LBV", "LRN", "ILRT", "FBOT", "Kilonova", "Afterglow",
)  # fmt: skip
_ARMS = ("pine_forest", "aad_forest", "isolation_forest", "random")
_DRAWN = "_drawn"
_DEFAULT, _PLAIN, _RANDOM = "pine_forest", "isolation_forest", "random"
_ALERTS, _TREES, _FACTOR, _MOST_BOGUS = 4, 100, 2.0, 0.1
_LOOKS, _SHOWN, _BOGUS_LOOKS = 200, (50, 200), 100
_REAL_BOGUS = ("real_bogus", "deep_real_bogus", "classtar")
_NIGHTS, _PER_NIGHT, _SEASON = 8, 3000, 7300
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class Sky(NamedTuple):
    """Alerts of objects.

    Parameters
    ----------
    values : float64 array, shape (n, k)
        Features of each alert; each has some.
    own : int64 array, shape (n,)
        Object of each.
    wanted, bogus : bool arrays, shape (m,)
        Whether an object is an anomaly, and whether it is an artefact.
    """

    values: Floats
    own: npt.NDArray[np.int64]
    wanted: Mask
    bogus: Mask

    def half(self, seed: int) -> Sky:
        """Half of the objects, drawn by `seed`."""
        m = len(self.wanted)
        kept = np.sort(np.random.default_rng(seed).permutation(m)[: m // 2])
        use = np.isin(self.own, kept)
        own = np.searchsorted(kept, self.own[use])
        return Sky(self.values[use], own, self.wanted[kept], self.bogus[kept])


def main() -> None:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=_DATA, help="folder of the two tables")
    parser.add_argument("--seeds", type=int, default=8, help="halves of the objects")
    parser.add_argument(
        "--arms", default=",".join(_ARMS), help="estimators, with _drawn too, and random"
    )
    parser.add_argument("--per-night", type=int, default=10, help="looks between two fits")
    parser.add_argument("--sky", default="real,artefacts", help="skies, by a comma")
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    parser.add_argument("--quick", action="store_true", help="two seeds, few fits")
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.per_night = 2, 100
    arms, claims = options.arms.split(","), []
    settings = load_settings(environment={}, starting_set=None, test_set=None)
    if "real" in options.sky:
        if (options.data / _SUPERNOVAE).exists() and (options.data / _OTHERS).exists():
            sky = real_sky(settings, options.data)
            shown = table("real", sky, arms, options)
            if {_DEFAULT, _PLAIN} <= set(arms):
                claims.append(factor(shown[_DEFAULT], shown[_PLAIN]))
        else:
            print(f"anomaly: no labelled light curves at {options.data}: the real sky is left out")
    if "lsst" in options.sky:
        table("lsst", simulated_sky(_of("anomaly_lsst"), _NIGHTS, _PER_NIGHT), arms, options)
    if "artefacts" in options.sky:
        nights, alerts = (8, 1500) if options.quick else (_NIGHTS, _PER_NIGHT)
        sky = simulated_sky(settings, nights, alerts, _REAL_BOGUS)
        shown = table("artefacts", sky, arms, options)
        if _DEFAULT in arms:
            share = shown[_DEFAULT][:, -1] / _BOGUS_LOOKS
            unit = f"± {error(share):.3f} of the first {_BOGUS_LOOKS} looks are artefacts"
            claims.append(
                Claim("artefacts", share.mean(), unit, _MOST_BOGUS, share.mean() <= _MOST_BOGUS,
                      "at most", 2)
            )  # fmt: skip
    judge(claims, options.check)


def real_sky(settings: Settings, folder: Path) -> Sky:
    """Alerts of typed objects."""
    supernovae, others = (pd.read_parquet(folder / name) for name in (_SUPERNOVAE, _OTHERS))
    is_supernova = others["type"].str.startswith(("SN", "SLSN"))
    others = others[~is_supernova & ~others["objectId"].isin(supernovae["objectId"])]
    columns = ["objectId", "type", "jd", "fid", "magpsf", "sigmapsf"]
    seen = supernovae[supernovae["magpsf"].notna()]
    points = pd.concat([seen[columns], others[columns]], ignore_index=True)
    whole = light_curves_of_points(points, settings.survey, by="objectId", also=("type",))
    alerts = with_past(cut_into_alerts(whole))
    kept = some_of_each(alerts.row, _ALERTS, np.random.default_rng(0))
    features = settings.target.features.model_copy(update={"context": ("n_detections",)})
    types = np.array(whole.context["type"].to_pylist(), object)
    wanted = np.isin(types.astype(str), _WANTED)
    return sky_of(
        alerts.light_curves.select(kept), features, alerts.row[kept], wanted, np.zeros_like(wanted)
    )


def with_past(alerts: NightlyAlerts) -> NightlyAlerts:
    """Add the object's first detection and the number of nights so far, as packets have them."""
    first = np.full(alerts.row.max() + 1, np.inf)
    np.minimum.at(first, alerts.row, alerts.mjd)
    _, begin, counts = np.unique(alerts.row, return_index=True, return_counts=True)
    nights = np.arange(len(alerts.row)) - np.repeat(begin, counts) + 1
    context = alerts.light_curves.context
    for name, values in {
        "first_detection_mjd": first[alerts.row], "n_detections": nights.astype(float),
    }.items():  # fmt: skip
        context = context.append_column(name, pa.array(values))
    return replace(alerts, light_curves=replace(alerts.light_curves, context=context))


def simulated_sky(settings: Settings, nights: int, alerts: int, scores: Sequence[str] = ()) -> Sky:
    """Alerts of a simulated stream before any cut, with `scores` among the features."""
    sky = simulate(nights, alerts, _SEASON, survey=settings.survey.name)
    kinds = sky.truth.set_index("object_id")["type"]
    curves = light_curves(sky.columns(), settings.survey)
    names, row = np.unique(sky.alerts["object_id"].to_numpy(str), return_inverse=True)
    types = kinds.loc[names]
    kept = some_of_each(row, _ALERTS, np.random.default_rng(0))
    features = settings.target.features
    if scores:
        features = features.model_copy(update={"context": (*scores, "n_detections")})
    wanted, bogus = (types == "TDE").to_numpy(bool), types.isna().to_numpy(bool)
    return sky_of(curves.select(kept), features, row[kept], wanted, bogus)


def sky_of(
    curves: LightCurves, features: FeatureSettings, own: npt.NDArray, wanted: Mask, bogus: Mask
) -> Sky:
    """The sky of alerts that have a feature, and of their objects."""
    extracted = FeatureSet.from_settings(features).extract(curves)
    objects, own = np.unique(own[extracted.exist], return_inverse=True)
    return Sky(extracted.values[extracted.exist], own, wanted[objects], bogus[objects])


def table(name: str, sky: Sky, arms: Sequence[str], options: argparse.Namespace) -> dict:
    """Measure and print anomalies and artefacts among the first looks, by arm."""
    print(
        f"{name}: {len(sky.wanted)} objects, {sky.wanted.sum()} anomalies, {sky.bogus.sum()} "
        f"artefacts, {len(sky.own)} alerts; half of the objects in each of {options.seeds} seeds"
    )
    found = {}
    for arm in arms:
        rows = []
        for seed in range(options.seeds):
            half = sky.half(seed)
            order = looks(half, arm, seed, options.per_night)
            of_wanted, of_bogus = half.wanted[order], half.bogus[order[:_BOGUS_LOOKS]]
            rows.append([*(of_wanted[:n].sum() for n in _SHOWN), of_bogus.sum()])
        found[arm] = np.array(rows, float)
        cells = [
            f"{unit} {values.mean():5.1f} ± {error(values):.1f}"
            for unit, values in zip(
                (*(f"in {n}:" for n in _SHOWN), f"artefacts in {_BOGUS_LOOKS}:"),
                found[arm].T, strict=True,
            )
        ]  # fmt: skip
        print(f"  {arm:<18} {'   '.join(cells)}", flush=True)
    return found


def looks(sky: Sky, arm: str, seed: int, per_night: int) -> npt.NDArray[np.int64]:
    """Objects in the order in which the expert sees them."""
    if arm == _RANDOM:
        return np.random.default_rng([seed, 1]).permutation(len(sky.wanted))[:_LOOKS]
    is_drawn, arm = arm.endswith(_DRAWN), arm.removesuffix(_DRAWN)
    draw, rng = _of("anomaly").target.draw, np.random.default_rng([seed, 2])
    model = ModelSettings(
        estimator=arm, n_estimators=_TREES, min_labels=2, min_labels_per_class=1, seed=seed
    )  # type: ignore[arg-type]
    background = Background(sky.values)
    seen, order, score = np.zeros(len(sky.wanted), bool), [], np.empty(0)
    while len(order) < _LOOKS:
        rows = seen[sky.own]
        own = sky.own[rows]
        if not order or arm != _PLAIN:  # labels do not change its order
            labels = sky.values[rows], sky.wanted[own], own
            forest = fit_estimator(model, *labels, background, threads=1)
            score = np.zeros(len(sky.wanted))
            np.maximum.at(score, sky.own, predict(forest, sky.values))
        rank = -score
        if is_drawn:
            # What has a label is in no list any more.
            pi = weights(score, float(np.mean(score[~seen] ** draw.exponent)), draw)
            rank = priorities(rng.random(len(score)), pi)
        rank[seen] = np.inf
        nightly = np.argsort(rank, kind="stable")[:per_night]
        seen[nightly] = True
        order += nightly.tolist()
    return np.array(order)


@cache
def _of(target: str) -> Settings:
    """Settings of a target of the package."""
    return load_settings(environment={}, target=target, starting_set=None, test_set=None)


def factor(default: Floats, plain: Floats) -> Claim:
    """Judge the ratio of anomalies in all looks."""
    ours, theirs = default[:, 1], plain[:, 1]
    drawn = np.random.default_rng(1).integers(0, len(ours), (1000, len(ours)))
    ratios = ours[drawn].mean(axis=1) / np.maximum(theirs[drawn].mean(axis=1), 0.5)
    ratio = ours.mean() / max(theirs.mean(), 0.5)
    unit = f"± {ratios.std():.2f} times the anomalies of the plain forest in {_LOOKS} looks"
    return Claim("anomalies", ratio, unit, _FACTOR, ratio >= _FACTOR, "at least", 3)


def error(sample: Floats) -> float:
    """Error of a mean."""
    return float(sample.std(ddof=1) / np.sqrt(len(sample)))


if __name__ == "__main__":
    main()
