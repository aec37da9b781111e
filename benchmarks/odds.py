"""Whether totals estimated from drawn objects are right within their error.

One sky, drawn again and again: an observer takes the list from the top until clouds come, the
threshold falls within a list, objects are in several lists. Each object counts one over its odds.
Printed for each way of observing and each total: truth, bias of the mean in percent and in units of
its own standard error (right if mostly below 2), scatter in units of the estimated error (right if
1), and the share of draws whose error of one sigma holds the truth (0.68 if it were normal). The
last column is the bias in percent if drawn objects counted alike: what odds are for.

    python benchmarks/odds.py [--draws 2000] [--seed 1] [--quick]
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np

from fink_al.simulation.drawn import DrawnCampaign, DrawnSky, draw_campaign

_SKY = DrawnSky(
    lists=12, new_objects=100, half_typed_magnitude=np.inf, cloudy=0.0, stays=0.0, batches=1
)
_WAYS = {
    "first object of each list": replace(_SKY, spectra=1),
    "first five or so": replace(_SKY, spectra=5),
    "all that was published": replace(_SKY, spectra=200, published=8),
    "clouds": replace(_SKY, spectra=5, cloudy=0.4),
    "threshold falls in six batches": replace(_SKY, spectra=8, published=8, batches=6),
    "objects in several lists": replace(_SKY, spectra=5, stays=0.6),
    "all of these": replace(_SKY, spectra=8, published=8, batches=6, stays=0.6, cloudy=0.4),
    "plain score": replace(_SKY, spectra=5, draw=_SKY.draw.model_copy(update={"exponent": 1.0})),
}
_THRESHOLD = 0.3


def main() -> None:
    """Draw, estimate, and print a row for each way and total."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=2000, help="draws of each way")
    parser.add_argument("--seed", type=int, default=1, help="of the sky")
    parser.add_argument("--quick", action="store_true", help="40 draws")
    options = parser.parse_args()
    print(
        f"{'way':>31} {'total':>14} {'truth':>8} bias %  in errors  scatter  coverage  "
        "unweighted bias %"
    )
    for way, sky in _WAYS.items():
        found: dict[str, list[tuple[float, float, float, float]]] = {}
        for draw in range(40 if options.quick else options.draws):
            luck = np.random.default_rng([options.seed, draw])
            rows = draw_campaign(sky, np.random.default_rng(options.seed), luck)
            for name, values in totals(rows).items():
                found.setdefault(name, []).append(estimate(rows, values))
        for name, results in found.items():
            print_row(way, name, np.array(results))


def totals(rows: DrawnCampaign) -> dict[str, np.ndarray]:
    """Return what is added up over all rows, objects counted alike."""
    share = 1 / np.bincount(rows.object_id)[rows.object_id]
    p = np.clip(rows.p, 1e-3, 1)
    return {
        "objects": share,
        "positives": share * rows.positive,
        "true positives": share * (rows.positive & (rows.p > _THRESHOLD)),
        "log loss": -share * np.log(np.where(rows.positive, p, 1 - rows.p)),
    }


def estimate(rows: DrawnCampaign, values: np.ndarray) -> tuple[float, float, float, float]:
    """Return truth, estimate, its estimated error, and the estimate that knows no odds.

    The variance is the sum of ``(1 - odds) / odds**2 * value**2``: priorities of two objects are as
    good as independent (Duffield, Lund & Thorup 2007, theorem 2).
    """
    drawn = ~np.isnan(rows.odds)
    odds, of_drawn = rows.odds[drawn], values[drawn]
    error = np.sqrt(((1 - odds) / odds**2 * of_drawn**2).sum())
    share = 1 / np.bincount(rows.object_id)[rows.object_id]
    alike = (of_drawn / share[drawn]).mean() * share.sum() if drawn.any() else 0.0
    return float(values.sum()), float((of_drawn / odds).sum()), float(error), float(alike)


def print_row(way: str, name: str, results: np.ndarray) -> None:
    """Print bias and coverage of one total."""
    truth, estimates, errors, alike = results.T
    off = estimates - truth
    unit = off.std(ddof=1) / np.sqrt(len(off))
    scatter = off.std(ddof=1) / np.sqrt(np.mean(errors**2))
    print(
        f"{way:>31} {name:>14} {truth.mean():8.1f} {100 * off.mean() / truth.mean():+6.1f}  "
        f"{off.mean() / unit:+9.1f}  {scatter:7.2f}  {np.mean(np.abs(off) <= errors):8.2f}  "
        f"{100 * (alike - truth).mean() / truth.mean():+17.1f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
