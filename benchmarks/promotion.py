"""How often rules of promotion let good challengers through, and poisoned ones.

Simulated campaigns: night by night some labels are added to the starting set, a challenger is
trained and compared with the champion on the fixed test set, object by object. In a second world
one night's types are all wrong: that night's challenger, and those of the nights after it, are
poisoned. Printed for each rule: the share of nights with a promotion, how far the champion stands
behind the latest challenger at the end, and the share of poisoned nights in which the challenger
was promoted all the same.

    python benchmarks/promotion.py [--campaigns 8] [--nights 14] [--labels 4] [--quick]
"""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fink_al.evaluation.metrics import metrics
from fink_al.evaluation.promotion import LOWER_IS_BETTER, compare
from fink_al.models.estimators.estimator import fit_estimator, predict
from fink_al.models.examples import TrainingSet
from fink_al.settings import Settings, load_settings
from fink_al.training.examples import read_examples, read_file

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))  # the package holds no data makers
from make import early_alerts

_SEED, _ALERTS = 9001, 2000
_METRICS = ("log_loss", "auc", "figure_of_merit", "accuracy")
_MARGINS = (0.0, 0.01, 0.02)
_CONFIDENCES = (0.5, 0.8, 0.9, 0.95)
Rule = tuple[str, float, float]


def main() -> None:
    """Run the campaigns and print a row a rule."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--campaigns", type=int, default=8)
    parser.add_argument("--nights", type=int, default=14)
    parser.add_argument("--labels", type=int, default=4, help="typed spectra a night")
    parser.add_argument("--trees", type=int, default=300)
    parser.add_argument("--quick", action="store_true", help="one campaign of four nights")
    options = parser.parse_args()
    if options.quick:
        options.campaigns, options.nights, options.trees = 1, 4, 20
    settings = load_settings(environment={})
    model = settings.target.model.model_copy(
        update={"estimator": "random_forest", "n_estimators": options.trees}
    )
    target = settings.target.model_copy(update={"model": model})
    settings = settings.model_copy(update={"target": target})
    start, test = (
        read_examples(settings, read_file(file))
        for file in (settings.starting_set, settings.test_set)
    )
    pool = read_examples(settings, early_alerts(settings, _SEED, _ALERTS))
    rules = list(itertools.product(_METRICS, _MARGINS, _CONFIDENCES))
    found = {rule: [] for rule in rules}
    for seed in range(options.campaigns):
        world = World(settings, start, pool, test, options.labels, seed)
        nights = [world.probabilities(night, None) for night in range(options.nights + 1)]
        # The night of the wrong types is another one in each campaign.
        bad = 2 + seed % (options.nights - 2)
        after = range(bad, min(bad + 3, options.nights + 1))
        poisoned = {night: world.probabilities(night, bad) for night in after}
        for rule in rules:
            found[rule].append(judge(rule, nights, poisoned, bad, test.positive))
        print(f"campaign {seed + 1} of {options.campaigns}", flush=True)
    print(f"{'metric':>16} margin confidence  promoted  behind at the end  poisoned promoted")
    for (metric, margin, confidence), rows in found.items():
        promoted, behind, wrong = np.mean(rows, axis=0)
        print(
            f"{metric:>16} {margin:6.2f} {confidence:10.2f}  {promoted:8.2f}  {behind:17.3f}  "
            f"{wrong:17.2f}"
        )


class World:
    """One campaign: which objects are labelled in which night."""

    def __init__(
        self,
        settings: Settings,
        start: TrainingSet,
        pool: TrainingSet,
        test: TrainingSet,
        labels: int,
        seed: int,
    ):
        self._settings, self._start, self._pool, self._test = settings, start, pool, test
        self._labels = labels
        self._order = np.random.default_rng(seed).permutation(len(pool))

    def probabilities(self, night: int, bad: int | None) -> npt.NDArray[np.float64]:
        """Of the test set, after `night` nights of labels, those of night `bad` being wrong."""
        rows = self._order[: night * self._labels]
        positive = self._pool.positive[rows].copy()
        if bad is not None:
            positive[(bad - 1) * self._labels : bad * self._labels] ^= True
        values = np.concatenate([self._start.values, self._pool.values[rows]])
        objects = np.concatenate([self._start.object_id, self._pool.object_id[rows]])
        known = np.concatenate([self._start.positive, positive])
        forest = fit_estimator(self._settings.target.model, values, known, objects)
        return predict(forest, self._test.values)


def judge(
    rule: Rule,
    nights: list[npt.NDArray[np.float64]],
    poisoned: dict[int, npt.NDArray[np.float64]],
    bad: int,
    positive: npt.NDArray[np.bool_],
) -> tuple[float, float, float]:
    """Share of nights with a promotion, how far behind, share of poisoned ones promoted."""
    metric, margin, confidence = rule
    champion, promoted, wrong = nights[0], 0, []
    for night in range(1, len(nights)):
        if night == bad:  # what the champion of the evening before would have let pass
            wrong = [
                compare(p, champion, positive, metric, margin).confidence >= confidence
                for p in poisoned.values()
            ]
        if compare(nights[night], champion, positive, metric, margin).confidence >= confidence:
            champion, promoted = nights[night], promoted + 1
    sign = -1 if metric in LOWER_IS_BETTER else 1
    once = np.ones((1, len(positive)))
    last, stands = (metrics(p, positive, once)[metric][0] for p in (nights[-1], champion))
    return promoted / (len(nights) - 1), sign * (last - stands), float(np.mean(wrong))


if __name__ == "__main__":
    main()
