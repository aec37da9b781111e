"""Which features tell simulated LSST supernovae apart before maximum, by a forest of many labels.

Two seasons of `conf/targets/early_snia_lsst.yml`'s alerts, one an object: the first teaches, the
second judges. Both are of the project's simulator, so this chooses features and promises nothing
about the sky.

    python benchmarks/lsst_features.py [--alerts 6000] [--quick]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
from sklearn.ensemble import RandomForestClassifier

from fink_al.evaluation.metrics import metrics, resample
from fink_al.settings import Settings, load_settings
from fink_al.training.examples import read_examples

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))  # the package holds no data makers
from make import early_alerts

_SEEDS = 9101, 9102
_GRIZ = ("g", "r", "i", "z")
CHOICES = {
    "g, r, i, z": {"bands": _GRIZ, "rainbow": False},
    "g, r, i, z, rainbow": {"bands": _GRIZ},
    "all bands": {"rainbow": False},
    "all bands, rainbow": {},
    "and forced photometry": {"forced": True},
}


def main() -> None:
    """Simulate, learn, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alerts", type=int, default=6000, help="mean alerts a night")
    parser.add_argument("--quick", action="store_true", help="few alerts")
    options = parser.parse_args()
    settings = settings_of({})
    seasons = [early_alerts(settings, s, 300 if options.quick else options.alerts) for s in _SEEDS]
    print(
        f"{len(seasons[0])} objects teach, {len(seasons[1])} judge; 68% intervals over the latter"
    )
    for name, changes in CHOICES.items():
        print(f"{name:24} {judged(settings_of(changes), seasons)}", flush=True)


def settings_of(changes: dict) -> Settings:
    """Settings of the target with other features."""
    target = {"features": changes} if changes else {}
    variables = {"FINK_AL_TARGET": "early_snia_lsst"}
    return load_settings(environment=variables, target=target, starting_set=None, test_set=None)


def judged(settings: Settings, seasons: list[pa.Table]) -> str:
    """AUC and figure of merit of a forest, with intervals."""
    teach, judge = (read_examples(settings, season) for season in seasons)
    forest = RandomForestClassifier(300, min_samples_leaf=3, random_state=0, n_jobs=-1)
    p = forest.fit(teach.values, teach.positive).predict_proba(judge.values)[:, 1]
    once, again = np.ones((1, len(judge))), resample(np.arange(len(judge)))
    found = []
    for name in ("auc", "figure_of_merit"):
        value = metrics(p, judge.positive, once)[name][0]
        low, high = np.percentile(metrics(p, judge.positive, again)[name], [16, 84])
        found.append(f"{name} {value:.3f} ({low:.3f} to {high:.3f})")
    share = f"{judge.positive.mean():.0%} positive"
    return f"{teach.values.shape[1]:4} features: {', '.join(found)}; {share}"


if __name__ == "__main__":
    main()
