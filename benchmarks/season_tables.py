"""Tables, claims and picture of benchmarks/season.py."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from claims import Claim
from matplotlib.figure import Figure
from scipy.stats import t

Floats = npt.NDArray[np.float64]
_TARGET_RATIO = 1.5
_METRICS = {"auc": "AUC", "average_precision": "average precision"}
_TOP = "top-N"
#: Ways of which something is claimed, and those of the picture.
_JUDGED = ("planned", "planned, cost 1", "planned, cost 1, light 0.25")
_DRAWN = (_TOP, "random", "drawn", *_JUDGED)


def at_hours(curves: pd.DataFrame, way: str, column: str, share: float) -> Floats:
    """Column of a way at a share of the hours that all ways of a seed have, shape (seeds,)."""
    found = []
    for _, rows in curves.groupby("seed"):
        common = rows.groupby("way")["hours"].max().min()
        own = rows[rows["way"] == way]
        found.append(np.interp(share * common, own["hours"], own[column]))
    return np.array(found)


def over_hours(curves: pd.DataFrame, way: str, column: str) -> Floats:
    """Mean of a column over the hours of a season, shape (seeds,)."""
    return np.mean(
        [at_hours(curves, way, column, share) for share in np.arange(1, 11) / 10], axis=0
    )


def per_hour(curves: pd.DataFrame, way: str, column: str = "labels") -> Floats:
    """Labels an hour of a whole season, shape (seeds,)."""
    last = curves[curves["way"] == way].groupby("seed").nth(-1)
    return (last[column] / last["hours"]).to_numpy()


def interval(values: Floats, share: float) -> tuple[float, float]:
    """Interval of a mean by Student's t."""
    error = values.std(ddof=1) / np.sqrt(len(values))
    low, high = values.mean() + np.array(t.interval(share, len(values) - 1)) * error
    return float(low), float(high)


def _text(values: Floats, form: str) -> str:
    (low, high), (least, most) = (interval(values, share) for share in (0.68, 0.95))
    return (
        f"{values.mean():{form}} ({low:{form}} to {high:{form}}; {least:{form}} to {most:{form}})"
    )


def show(name: str, curves: pd.DataFrame, ways: Sequence[str]) -> None:
    """Print a row a way, for labels and for each metric; intervals are 68% and 95%."""
    tops = [way for way in ways if way.startswith(_TOP)] or [ways[0]]
    top, best = tops[0], max(tops, key=lambda way: per_hour(curves, way).mean())
    print(f"\n{name}, {curves['seed'].nunique()} seeds: whole seasons, intervals of 68% and 95%")
    print(f"{'way':<34} {'hours':>6} {'spectra':>7} {'typed %':>7} {'SN Ia':>5} {'labels/h':>8} "
          f"{'effective/h':>11}  {'times ' + top:<36} times {best}")  # fmt: skip
    for way in ways:
        last = curves[curves["way"] == way].groupby("seed").nth(-1)
        own = per_hour(curves, way)
        typed = 100 * last["labels"].sum() / max(1, last["spectra"].sum())
        ratios = (_text(own / per_hour(curves, other), ".2f") for other in (top, best))
        print(
            f"{way:<34} {last['hours'].mean():6.1f} {last['spectra'].mean():7.1f} {typed:7.0f} "
            f"{last['positive_labels'].mean():5.1f} {own.mean():8.3f} "
            f"{per_hour(curves, way, 'effective').mean():11.3f}  {'  '.join(ratios)}"
        )
    for metric, title in _METRICS.items():
        print(f"{title} at 1/4, 1/2 and all of the same hours; mean over them less {top}'s; the "
              "same at their end")  # fmt: skip
        for way in ways:
            means = (at_hours(curves, way, metric, share).mean() for share in (0.25, 0.5, 1))
            gain = over_hours(curves, way, metric) - over_hours(curves, top, metric)
            end = at_hours(curves, way, metric, 1) - at_hours(curves, top, metric, 1)
            print(f"{way:<34} {' '.join(f'{mean:.3f}' for mean in means)}  {_text(gain, '+.3f')}  "
                  f"{_text(end, '+.3f')}")  # fmt: skip


def claims_of(name: str, curves: pd.DataFrame) -> list[Claim]:
    """Judge what is planned against top-N: labels an hour, and never a worse model."""
    claims, ways = [], set(curves["way"])
    for way in _JUDGED:
        if not {way, _TOP} <= ways:
            continue
        key = f"{name}_{way.replace(', ', '_').replace(' ', '_')}"
        ratio = per_hour(curves, way) / per_hour(curves, _TOP)
        low, high = interval(ratio, 0.95)
        claims.append(
            Claim(f"{key}_labels", ratio.mean(),
                  f"({low:.2f} to {high:.2f}) times the labels an hour of top-N", _TARGET_RATIO,
                  ratio.mean() >= _TARGET_RATIO, "at least", 3)
        )  # fmt: skip
        for metric, title in _METRICS.items():
            gain = over_hours(curves, way, metric) - over_hours(curves, _TOP, metric)
            low, high = interval(gain, 0.95)
            error = gain.std(ddof=1) / np.sqrt(len(gain))
            claims.append(
                Claim(f"{key}_{metric}", gain.mean(),
                      f"({low:+.3f} to {high:+.3f}) of {title} at equal hours, less top-N's", 0.0,
                      gain.mean() >= -error, "at least, beside its error,", 2)
            )  # fmt: skip
    return claims


def draw(file: Path, curves: pd.DataFrame, ways: Sequence[str]) -> None:
    """Draw labels, and gains of AUC and average precision over top-N, with 68% intervals."""
    figure = Figure(figsize=(13, 4), layout="constrained")
    shares = np.linspace(0, 1, 13)
    common = curves.groupby(["seed", "way"])["hours"].max().groupby("seed").min().mean()
    titles = {"labels": "labels (spectra with a type)"}
    titles |= {column: f"{title}, less that of {_TOP}" for column, title in _METRICS.items()}
    for axes, (column, title) in zip(figure.subplots(1, 3), titles.items(), strict=True):
        for i, way in enumerate(way for way in _DRAWN if way in ways):
            values = np.stack([at_hours(curves, way, column, share) for share in shares])
            if column in _METRICS:
                values = values - [at_hours(curves, _TOP, column, share) for share in shares]
            bands = np.array([interval(each, 0.68) for each in values]).T
            axes.fill_between(shares * common, *bands, alpha=0.2, color=f"C{i}", lw=0)
            axes.plot(shares * common, values.mean(axis=1), color=f"C{i}", label=way)
        axes.set(xlabel="hours of telescope", ylabel=title, xlim=(0, None))
    figure.axes[0].legend(loc="upper left", fontsize="small")
    figure.savefig(file, dpi=150)
