"""Real events and variable stars made alike: same times, errors and magnitude in each pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from fink_al.features.microlensing.lens import PointLens
from fink_al.lightcurve import LightCurves
from fink_al.simulation.star_noise import baseline_flux

#: Magnitude that the median of each light curve gets.
BASELINE_MAG = 18.0
BAND = 1
#: Span of a window that holds a whole event, in widths of the event at a quarter of its peak: for
#: a lens without blending about eight Einstein times.
WIDTHS = 6.0
#: Places of the peak in the window, in its span, and how many of them are tried.
PEAK_AT, PLACES = (0.25, 0.75), 20
LEAST_POINTS, NEAR_DAYS = 10, 3.0

#: Time [day], flux and its error of the points of a light curve.
Curve = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Pair:
    """An event and a variable star that differ in nothing but their fluxes.

    Parameters
    ----------
    days : float64 array, shape (m,)
        Times of both, from the first.
    flux : float64 array, shape (2, m)
        Flux of the event and of the star, each over its median.
    error : float64 array, shape (m,)
        The larger of both errors; noise is already added to the other.
    variable : int
        Number of the variable star.
    stretch : float
        Days of the event in a day of its window.
    moved : float64 array, shape (m,)
        Time of the event's point before it was moved to that of the star [day].
    """

    days: np.ndarray
    flux: np.ndarray
    error: np.ndarray
    variable: int
    stretch: float
    moved: np.ndarray


def paired(table: pd.DataFrame, rng: np.random.Generator, whole: bool = True) -> list[Pair]:
    """Pair each event with a variable star of the same rank of error, and make both alike.

    The star that is best measured belongs to the events that are best measured, and so on: all
    stars are used equally often, and as little noise as possible is added. With too few points the
    next stars are tried. Without `whole`, time is not stretched.
    """
    groups = {
        kind: [g.sort_values("jd") for _, g in part.groupby("object")]
        for kind, part in table.groupby("kind")
    }
    events, stars = groups["microlensing"], groups["variable"]
    by_error = np.argsort([star["mag_err"].median() for star in stars])
    rank = np.argsort(np.argsort([event["mag_err"].median() for event in events]))
    pairs = []
    for event, (t0, width), k in zip(events, peaks([relative(e) for e in events]), rank,
                                     strict=True):  # fmt: skip
        wanted = k * len(stars) // len(events)
        for place in sorted(range(len(stars)), key=lambda p, w=wanted: abs(p - w)):
            number = int(by_error[place])
            pair = alike(event, stars[number], number, t0, width, rng, whole)
            if pair is not None:
                pairs.append(pair)
                break
    return pairs


def alike(
    event: pd.DataFrame,
    star: pd.DataFrame,
    number: int,
    t0: float,
    width: float,
    rng: np.random.Generator,
    whole: bool,
) -> Pair | None:
    """Thin both to the points that they can share; missing with fewer than ten.

    The window has the star's span. A lens has no timescale of its own, so time is stretched where
    the event is longer, until the window holds all of it. Of some places the window has the one
    with the most points on the event: OGLE has seasons, and the stars' nights have gaps.
    """
    t, days = event["jd"].to_numpy(), star["jd"].to_numpy() - star["jd"].min()
    longest = (t[-1] - t[0]) / days[-1] if whole else 1.0
    stretch = max(1.0, min(stretch_of(width, days[-1]), longest))
    peak, best, most = np.clip(t0, t[0], t[-1]), (np.array([], int),) * 2, (-1, -1)
    for _ in range(PLACES):
        scaled = (t - peak) / stretch + rng.uniform(*PEAK_AT) * days[-1]
        rows, kept = nearest(scaled, days)
        count = int((np.abs(t[rows] - peak) < width / 2).sum()), len(rows)
        if count > most:
            best, most, moved = (rows, kept), count, scaled[rows]
    rows, kept = best
    if len(rows) < LEAST_POINTS:
        return None
    (_, f1, e1), (_, f2, e2) = relative(event.iloc[rows]), relative(star.iloc[kept])
    errors = np.stack([e1, e2])
    error = errors.max(axis=0)
    more = np.sqrt(np.maximum(error**2 - errors**2, 0)) * rng.normal(size=errors.shape)
    begin = days[kept[0]]
    return Pair(days[kept] - begin, np.stack([f1, f2]) + more, error, number, stretch,
                moved - begin)  # fmt: skip


def relative(star: pd.DataFrame) -> Curve:
    """Times, flux over its median, and errors of that."""
    mag = star["mag"].to_numpy()
    flux = 10 ** (-0.4 * (mag - np.median(mag)))
    return star["jd"].to_numpy(), flux, flux * star["mag_err"].to_numpy() * np.log(10) / 2.5


def peaks(curves: Sequence[Curve]) -> list[tuple[float, float]]:
    """Time of the peak and width at a quarter of it, of the lens that fits each event.

    Where nothing fits, or the peak lies between the seasons, of a running median of five points.
    """
    lens, out = PointLens(("r",), forced=True), []
    for (t, flux, _), x, reason in zip(curves, *lens.extract(joined(curves)), strict=True):
        t0, u0, te = (x[lens.names.index(f"lens_{name}")] for name in ("t0", "u0", "te"))
        width = float(width_of(u0, te))
        if reason == 0 and np.abs(t - t[-1] - t0).min() < width / 2:
            out.append((t[-1] + t0, width))
            continue
        smooth = pd.Series(flux - 1).rolling(5, center=True, min_periods=1).median().to_numpy()
        top, low = int(np.argmax(smooth)), np.flatnonzero(smooth < smooth.max() / 4)
        begin = t[low[low < top]].max(initial=t[0])
        end = t[low[low > top]].min(initial=t[-1])
        out.append(((begin + end) / 2, end - begin))
    return out


def width_of(u0, te):
    """Time for which a lens magnifies by more than a quarter of what it does at the peak."""
    a = 1 + excess(u0) / 4
    return 2 * te * np.sqrt(2 * a / np.sqrt(a**2 - 1) - 2 - u0**2)


def excess(u):
    """Magnification minus one at the separation `u` (Paczynski 1986, ApJ 304, 1)."""
    return (u**2 + 2) / (u * np.sqrt(u**2 + 4)) - 1


def stretch_of(width, span: float):
    """Days of an event in a day of a window of `span` days that holds it."""
    return np.maximum(1.0, WIDTHS * width / span)


def nearest(t: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of `t` within three days of the times `wanted`, each once, and rows of the latter."""
    free = np.ones(len(t), bool)
    rows, kept = [], []
    for j, day in enumerate(wanted):
        gap = np.where(free, np.abs(t - day), np.inf)
        if gap.min() < NEAR_DAYS:
            rows.append(int(np.argmin(gap)))
            kept.append(j)
            free[rows[-1]] = False
    return np.sort(np.array(rows, int)), np.array(kept, int)


def difference(days: np.ndarray, flux: np.ndarray, error: np.ndarray) -> Curve:
    """Difference flux of a star against its median, which a stack of its images shows."""
    return days, flux - np.median(flux), error


def joined(curves: Sequence[Curve]) -> LightCurves:
    """Light curves of all stars, in one band; what is above 5 sigma is a detection."""
    days, flux, error = (np.concatenate(column) for column in zip(*curves, strict=True))
    light = baseline_flux(np.array(BASELINE_MAG))
    return LightCurves(
        offsets=np.concatenate([[0], np.cumsum([len(c[0]) for c in curves])]),
        mjd=59000.3 + days,
        band=np.full(len(days), BAND),
        flux=flux * light,
        flux_err=error * light,
        is_upper_limit=np.zeros(len(days), bool),
        is_forced=np.abs(flux) <= 5 * error,
        bands=("g", "r"),
        context=pa.table({}),
    )
