"""What a label is worth in a stream: few SN Ia among other objects, every alert up to the peak.

Two mixes of real light curves, each with SN Ia thinned to 7% of the objects. `supernovae` are the
light curves of DIR/ztf_supernovae.parquet with their limits. `contaminants` adds the objects of
DIR/ztf_fink_nonIa_fullLC.parquet that are no supernovae. That file has no non-detections, so they
are left out of both, or a model would learn which file a row comes from.

With --simulated the mix is a simulated season of the target's survey instead, for surveys without
labelled light curves: FINK_AL_TARGET=early_snia_lsst python benchmarks/stream_like.py --simulated.
Its sky is the teacher's own, which flatters what the teaching set taught.

Half of the objects are the pool, half judge; four alerts an object; ten labels at first, five a
night. Metrics weigh every object alike; errors are those of the mean over seeds, of differences
paired by seed. Finished runs are kept in FOLDER.

    python benchmarks/stream_like.py [--data DIR | --points FILE | --simulated] [--seeds 8]
        [--arms ARMS] [--output FOLDER] [--picture FILE] [--check] [--quick]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from claims import Claim, judge
from matplotlib.figure import Figure

from fink_al.alerts.points import light_curves_of_points
from fink_al.demo.season import season
from fink_al.experiments.labelled_alerts import LabelledAlerts, labelled_alerts
from fink_al.experiments.outcome import curves_of, interval_of_mean
from fink_al.experiments.plan import Arm, Plan
from fink_al.experiments.side_by_side import run_all
from fink_al.loop import Loop
from fink_al.settings import FeatureSettings, Settings, load_settings
from fink_al.training.teaching_set import read_teaching_set

_DATA = Path(__file__).parents[2] / "shared/data/labelled"
_SUPERNOVAE, _OTHERS = "ztf_supernovae.parquet", "ztf_fink_nonIa_fullLC.parquet"
_LABELS = (20, 60, 100, 150, 200, 300)
_SHARE, _TREES = 0.07, 100
_METRICS = {"auc": "AUC", "average_precision": "average precision"}
_PUBLISHED = "greedy:uncertainty@sigmoid/random_forest"
_RANDOM, _FORMER = "random", "greedy:uncertainty/informed_forest"  # the default before
_UNTAUGHT = "random/random_forest"
_FALL, _FACTOR, _CALIBRATION = 0.01, 1.2, 0.03
#: Seed of the simulated season, which no teaching set has.
_SEASON = 11
Floats = npt.NDArray[np.float64]
Reader = Callable[[FeatureSettings], LabelledAlerts]


def main() -> None:
    """Measure, print, draw, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=_DATA, help="folder of the two tables")
    parser.add_argument("--points", type=Path, help="one mix, of this table, instead")
    parser.add_argument("--simulated", action="store_true", help="a simulated season instead")
    parser.add_argument("--seeds", type=int, default=8, help="splits of the objects")
    parser.add_argument("--arms", help="arms to compare, as fink-al campaign takes them")
    parser.add_argument("--output", type=Path, help="folder of finished runs")
    parser.add_argument("--picture", type=Path, help="PNG of the first mix")
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    parser.add_argument("--quick", action="store_true", help="two seeds, few labels, one mix")
    options = parser.parse_args()
    first = options.points or options.data / _SUPERNOVAE
    if not options.simulated and not first.exists():
        print(f"stream_like: no light curves at {first}: nothing was measured")
        sys.exit(1 if options.check else 0)
    settings = load_settings(starting_set=None, test_set=None)
    model = settings.target.model.model_copy(update={"n_estimators": _TREES})
    target = settings.target.model_copy(update={"model": model})
    settings = settings.model_copy(update={"target": target})
    default = target.strategy
    arms = (options.arms or ",".join((default, _RANDOM, _UNTAUGHT, _PUBLISHED))).split(",")
    labels: tuple[int, ...] = _LABELS
    if options.quick:
        options.seeds, labels = 2, tuple(n for n in _LABELS if n <= 20)
    plan = Plan(
        tuple(map(Arm.parse, arms)), options.seeds, labels=max(labels), per_night=5,
        alerts_per_object=4, positive_share=_SHARE,
    )  # fmt: skip
    claims: list[Claim] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.output or Path(scratch)
        skies = seasons(settings) if options.simulated else mixes(first, options, settings)
        for i, (name, read) in enumerate(skies):
            table = measure(read, settings, plan, folder / name)
            print_table(name, table, labels)
            if not options.quick and {default, _RANDOM} <= set(arms):
                claims += claims_of(name, table, default)
            if options.picture and i == 0:
                draw(options.picture, table, default)
    judge(claims, options.check)


def mixes(
    first: Path, options: argparse.Namespace, settings: Settings
) -> Iterator[tuple[str, Reader]]:
    """Yield name and reader of each mix."""
    points = pd.read_parquet(first)
    yield first.stem if options.points else "supernovae", reader(points, settings)
    others = options.data / _OTHERS
    if options.points or options.quick or not others.exists():
        return
    contaminants = pd.read_parquet(others)
    is_supernova = contaminants["type"].str.startswith(("SN", "SLSN"))
    contaminants = contaminants[~is_supernova & ~contaminants["objectId"].isin(points["objectId"])]
    columns = ["objectId", "type", "jd", "fid", "magpsf", "sigmapsf"]
    seen = points[points["magpsf"].notna()]
    both = pd.concat([seen[columns], contaminants[columns]], ignore_index=True)
    yield "contaminants", reader(both, settings)


def seasons(settings: Settings) -> Iterator[tuple[str, Reader]]:
    """Yield the simulated season of the target's survey."""
    loop = Loop.open(settings)
    yield "simulated", lambda features: season(loop, _SEASON, features)


def reader(points: pd.DataFrame, settings: Settings) -> Reader:
    """Reader of alerts cut from whole light curves."""
    whole = light_curves_of_points(points, settings.survey, by="objectId", also=("type",))
    return lambda features: labelled_alerts(whole, features, settings.target, settings.taxonomy)


def measure(read: Reader, settings: Settings, plan: Plan, folder: Path) -> pd.DataFrame:
    """Run all arms on one mix; return the rows of their curves."""
    target = settings.target
    chosen = {arm.feature_set: arm.feature_set or target.features.name for arm in plan.arms}
    alerts = {
        key: read(target.features.model_copy(update={"name": name})) for key, name in chosen.items()
    }
    teaching = read_teaching_set(
        settings.teaching_set, target, settings.taxonomy, survey=settings.survey
    )
    made = run_all(alerts, plan, target, folder, teaching=teaching, processes=1)
    return made.curves.to_pandas()


def values(table: pd.DataFrame, arm: str, metric: str, labels: int) -> Floats:
    """Metric of an arm with so many labels, shape (seeds,)."""
    curves = curves_of(table, metric)
    return curves.values[arm][:, np.searchsorted(curves.labels, labels)]


def with_error(sample: Floats, form: str = ".3f") -> str:
    """Mean and its error, as text."""
    return f"{sample.mean():{form}} ± {error_of(sample):.3f}"


def error_of(sample: Floats) -> float:
    """Error of a mean."""
    return float(sample.std(ddof=1) / np.sqrt(len(sample)))


def print_table(name: str, table: pd.DataFrame, labels: Sequence[int]) -> None:
    """Print AUC, average precision, calibration error and positives found, by labels."""
    row = table.iloc[0]
    seeds = table["seed"].nunique()
    print(f"{name}: pool {row['pool_objects']} objects, test {row['test_objects']}, {seeds} seeds")
    shown = (*_METRICS, "calibration_error", "positive_labels")
    for metric in shown:
        print(f"  {_METRICS.get(metric, metric.replace('_', ' '))}")
        for arm in table["strategy"].unique():
            form = ".1f" if metric == "positive_labels" else ".3f"
            cells = [f"{n}: {with_error(values(table, arm, metric, n), form)}" for n in labels]
            print(f"    {arm:<42} {'  '.join(cells)}", flush=True)


def claims_of(name: str, table: pd.DataFrame, default: str) -> list[Claim]:
    """Judge the default: its first 100 labels, its falls, and its calibration."""
    claims = []
    for metric, title in _METRICS.items():
        gain = values(table, default, metric, 100) - values(table, _RANDOM, metric, 300)
        claims.append(
            Claim(f"{name}_{metric}_with_100", gain.mean(),
                  f"± {error_of(gain):.3f} {title} less that of random labels with 300", 0.0,
                  gain.mean() >= 0, "at least", 2)
        )  # fmt: skip
    falls = [
        values(table, default, "auc", few) - values(table, default, "auc", many)
        for few, many in combinations(_LABELS, 2)
    ]
    worst = max(falls, key=lambda fall: fall.mean() - error_of(fall))
    claims.append(
        Claim(f"{name}_fall", worst.mean(), f"± {error_of(worst):.3f} of AUC by more labels", _FALL,
              worst.mean() <= _FALL + error_of(worst), "at most, beside its error,", 2)
    )  # fmt: skip
    own, other = (values(table, arm, "average_precision", 100) for arm in (default, _RANDOM))
    factor, error = own.mean() / other.mean(), error_of(own - other) / other.mean()
    claims.append(
        Claim(f"{name}_average_precision", factor,
              f"± {error:.2f} times that of random labels, with 100", _FACTOR, factor >= _FACTOR,
              "at least", 3)
    )  # fmt: skip
    calibration = values(table, default, "calibration_error", 100)
    claims.append(
        Claim(f"{name}_calibration", calibration.mean(),
              f"± {error_of(calibration):.3f} calibration error with 100 labels", _CALIBRATION,
              calibration.mean() <= _CALIBRATION, "at most", 2)
    )  # fmt: skip
    return claims


def draw(file: Path, table: pd.DataFrame, default: str) -> None:
    """Draw labels against average precision and AUC, with 68% intervals of the mean."""
    names = {
        default: "default",
        _RANDOM: "random labels, same model",
        _UNTAUGHT: "random labels, random forest",
        _FORMER: "most uncertain, informed forest",
        _PUBLISHED: "published method",
    }
    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, (metric, title) in zip(
        figure.subplots(1, 2), reversed(_METRICS.items()), strict=True
    ):
        curves = curves_of(table, metric)
        for i, arm in enumerate(arm for arm in names if arm in curves.values):
            rows = table[table["strategy"] == arm]
            labels = np.sort(rows["n_labels"].unique())
            at = np.searchsorted(curves.labels, labels)
            low, high = interval_of_mean(curves.values[arm][:, at])
            axes.fill_between(labels, low, high, alpha=0.2, color=f"C{i}", lw=0)
            axes.plot(labels, curves.mean(arm)[at], color=f"C{i}", label=names[arm])
        axes.set(xlabel="labels (spectra with a type)", ylabel=title, xlim=(0, None))
    figure.axes[0].legend(loc="center right", fontsize="small")
    figure.savefig(file, dpi=150)


if __name__ == "__main__":
    main()
