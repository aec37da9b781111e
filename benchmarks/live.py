"""Whether 68% intervals of the live metrics hold the truth of the stream.

Simulated campaigns: lists of a sky where 7% are positive, drawn by the entropy of a classifier
with errors, observed under clouds, objects in several lists, faint spectra without a type. The
truth of a campaign is the metric of all rows of its lists, each object counted alike. Printed for
each metric and effective number of labels (l) or positives (p): campaigns, share of intervals that
hold the truth, and that lie above and below it, bias and scatter of the estimate, its mean error.
Coverage should be 0.60 to 0.76. The last line says how many effective labels 100 labels are worth:
their mean with its error, and the range of the middle 68% of the campaigns with 75 to 150 labels.

    python benchmarks/live.py [--campaigns 1000] [--exponent K] [--quick]
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np

from fink_al.evaluation.drawn import DrawnObjects
from fink_al.evaluation.live import RULES, LiveMetrics, live_metrics, stream_metrics
from fink_al.settings import DrawSettings
from fink_al.simulation.drawn import DrawnCampaign, DrawnSky, draw_campaign

_THRESHOLD = 0.3
_BINS = (0, 60, 120, 240, np.inf)


def main() -> None:
    """Run the campaigns and print a row for each metric and number of labels."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--campaigns", type=int, default=1000)
    parser.add_argument(
        "--exponent", type=float, default=DrawSettings().exponent, help="of the entropy"
    )
    parser.add_argument("--quick", action="store_true", help="ten campaigns")
    options = parser.parse_args()
    number = 10 if options.quick else options.campaigns
    settings = DrawSettings(exponent=options.exponent)
    found = [campaign(seed, settings) for seed in range(number)]
    print(f"exponent {settings.exponent:g}, {number} campaigns")
    print(
        f"{'metric':>18} {'effective':>10} campaigns  coverage  too high  too low "
        f"{'bias':>8} {'scatter':>8} {'error':>8}"
    )
    for name, rule in RULES.items():
        by = next(iter(rule.least))
        told = [
            (m.effective[by], m.figures[name], truth[name])
            for m, truth in found
            if m.figures[name].value is not None
        ]
        for low, high in [*itertools.pairwise(_BINS), (0, np.inf)]:
            rows = [row[1:] for row in told if low <= row[0] < high]
            if len(rows) > 1:
                print_row(name, f"{low:g}-{high:g} {by[0]}", rows)
    print_worth([m for m, _ in found])


def campaign(seed: int, settings: DrawSettings) -> tuple[LiveMetrics, dict[str, float]]:
    """Simulate a campaign of random length and weather; return the estimates and the truth."""
    rng = np.random.default_rng(seed)
    sky = DrawnSky(
        lists=int(rng.integers(20, 150)),
        spectra=float(rng.uniform(2, 8)),
        cloudy=float(rng.uniform(0, 0.5)),
        separation=float(rng.uniform(0.8, 2.0)),
        shift=float(rng.uniform(-0.3, 1.2)),
        draw=settings,
    )
    rows = draw_campaign(sky, rng)
    in_lists = np.bincount(rows.object_id)[rows.object_id]
    truth = stream_metrics(rows.p, rows.positive, 1 / in_lists[None], _THRESHOLD)
    return live_metrics(drawn_objects(rows), _THRESHOLD), {k: float(v[0]) for k, v in truth.items()}


def drawn_objects(rows: DrawnCampaign) -> DrawnObjects:
    """Return what a campaign knows: the rows that it drew.

    A version is fitted after each list, so it has learned from the objects of earlier ones.
    """
    drawn = np.flatnonzero(~np.isnan(rows.odds))
    objects = rows.object_id[drawn]
    first = np.full(rows.object_id.max() + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, objects, rows.list[drawn])
    return DrawnObjects(
        object_id=objects.astype(object),
        list=rows.list[drawn],
        odds=rows.odds[drawn],
        lists=np.bincount(rows.object_id)[objects],
        p=rows.p[drawn],
        is_typed=rows.is_typed[drawn],
        positive=(rows.positive & rows.is_typed)[drawn],
        mag=rows.mag[drawn],
        airmass=rows.airmass[drawn],
        seen=rows.list[drawn] > first[objects],
    )


def print_row(name: str, numbers: str, rows: list) -> None:
    """Print coverage and bias of one metric."""
    estimates = np.array([figure.value for figure, _ in rows])
    truth = np.array([true for _, true in rows])
    low, high = np.array([figure.interval for figure, _ in rows]).T
    error = np.mean([figure.error for figure, _ in rows])
    below, above = np.mean(truth < low), np.mean(truth > high)
    print(
        f"{name:>18} {numbers:>10} {len(rows):9d} {1 - below - above:9.2f} {below:9.2f} "
        f"{above:8.2f} {np.mean(estimates - truth):+8.4f} {np.std(estimates - truth):8.4f} "
        f"{error:8.4f}"
    )


def print_worth(campaigns: list[LiveMetrics]) -> None:
    """Print how many effective labels 100 labels are worth."""
    labels = np.array([m.typed - m.unscored for m in campaigns])
    near = (labels >= 75) & (labels <= 150)
    worth = 100 * np.array([m.effective["labels"] for m in campaigns])[near] / labels[near]
    if len(worth) > 1:
        low, high = np.percentile(worth, (16, 84))
        error = worth.std(ddof=1) / np.sqrt(len(worth))
        print(
            f"100 labels are worth {worth.mean():.1f} ± {error:.1f} effective ones "
            f"({low:.0f} to {high:.0f}; {len(worth)} campaigns)"
        )


if __name__ == "__main__":
    main()
