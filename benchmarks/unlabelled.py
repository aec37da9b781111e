"""What the unlabelled pool, and other learners, are worth beside the forests, with few labels.

Needs ``../shared/data/labelled/ztf_fink_tns_alerts.parquet`` beside the project, or another table
of whole light curves as `benchmarks/science.py` takes. Labels are drawn at random, alike for all.

    python benchmarks/unlabelled.py [--points FILE] [--seeds 8] [--quick]
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from science import _POINTS, load
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import QuantileTransformer
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from fink_al.evaluation.metrics import metrics
from fink_al.experiments.labelled_alerts import LabelledAlerts
from fink_al.experiments.plan import Arm, Plan
from fink_al.experiments.world import World, draw
from fink_al.models.estimators.estimator import fit_estimator, predict
from fink_al.models.estimators.forest import Forest
from fink_al.models.estimators.growing import grow
from fink_al.models.estimators.prior import Prior
from fink_al.settings import Target, load_settings
from fink_al.training.teacher import prior_of
from fink_al.training.teaching_set import read_teaching_set

LABELS = (20, 40, 60, 120)
AXES = 6  # of an embedding
FEW = "few features"

#: Features of pool and test half, by what they are.
Spaces = dict[str, tuple[np.ndarray, np.ndarray]]


def main() -> None:
    """Measure and print figure of merit and AUC of each learner."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", default=_POINTS, help="whole light curves, Parquet")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--quick", action="store_true", help="one seed, one number of labels")
    options = parser.parse_args()
    if not _POINTS.exists() and options.points == _POINTS:
        print(f"unlabelled: no labelled light curves at {options.points}: nothing was measured")
        sys.exit(0)
    seeds, numbers = (1, LABELS[:1]) if options.quick else (options.seeds, LABELS)
    settings = load_settings(starting_set=None, test_set=None)
    teaching = read_teaching_set(settings.teaching_set, settings.target, settings.taxonomy)
    data = load(options.points, settings, "early_v1")
    for subset in ("published", "all"):
        plan = Plan((Arm("random"),), labels=120, alerts_per_object=2, subset=subset)
        found: dict[tuple[str, int], list[tuple[float, float]]] = {}
        for seed in range(seeds):
            world = draw(data, plan, seed, 2)
            seen = data.values[~np.isin(data.row, world.test.row)]
            prior = prior_of(settings.target, world.pool.features, teaching)
            assert prior
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # features that no alert has
                spaces = spaces_of(world, seen, list(prior.few), seed)
            rows = labelled_rows(world, seed)
            for n in numbers:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # pools in several pieces
                    told = learners(world, spaces, rows[:n], settings.target, prior, seed)
                for name, p in told.items():
                    judged = metrics(p, world.test.positive, np.ones((1, len(p))))
                    pair = judged["figure_of_merit"][0], judged["auc"][0]
                    found.setdefault((name, n), []).append(pair)
        for name in dict.fromkeys(name for name, _ in found):
            means = (np.mean(found[name, n], axis=0) for n in numbers)
            cells = [f"{n}: {m:.3f} {a:.3f}" for n, (m, a) in zip(numbers, means, strict=True)]
            print(f"{subset:>9} {name:<34} {'   '.join(cells)}", flush=True)


def labelled_rows(world: World, seed: int) -> np.ndarray:
    """Rows of the pool in the order in which they are labelled, one an object."""
    rest = np.random.default_rng(seed).permutation(len(world.pool))
    rest = rest[~np.isin(world.pool.row[rest], world.pool.row[world.initial])]
    _, first = np.unique(world.pool.row[rest], return_index=True)
    return np.concatenate([world.initial, rest[np.sort(first)]])


def spaces_of(world: World, seen: np.ndarray, few: list[int], seed: int) -> Spaces:
    """Features of pool and test half, by what is learned of them without a label.

    `seen` are the features of all alerts of objects that do not judge, whatever their subset.
    """
    middle = np.nan_to_num(np.nanmedian(world.pool.values, axis=0))
    pool, test, everything = (
        np.where(np.isnan(values), middle, values)
        for values in (world.pool.values, world.test.values, seen)
    )
    plain = QuantileTransformer(n_quantiles=100, output_distribution="normal", random_state=0)
    both = [plain.fit_transform(pool), plain.transform(test)]
    chosen = [part[:, few] for part in both]
    axes = PCA(AXES, random_state=0).fit(both[0])
    embed = embedding(plain.transform(everything), seed)
    network = [embed(part) for part in both]
    together = [np.column_stack(parts) for parts in zip(chosen, network, strict=True)]
    return {
        FEW: (chosen[0], chosen[1]),
        "axes of the pool": (axes.transform(both[0]), axes.transform(both[1])),
        "a network's axes": (network[0], network[1]),
        "few and a network's axes": (together[0], together[1]),
    }


def embedding(values: np.ndarray, seed: int) -> Callable[[np.ndarray], np.ndarray]:
    """The narrowest layer of a denoising autoencoder (Vincent et al. 2008).

    A fifth of the features is hidden, and the network learns to say what they were.
    """
    hidden = np.random.default_rng(seed).random(values.shape) < 0.2
    network = MLPRegressor(
        hidden_layer_sizes=(32, AXES, 32), activation="tanh", early_stopping=True,
        max_iter=300, random_state=seed,
    ).fit(np.where(hidden, 0.0, values), values)  # fmt: skip

    def embed(part: np.ndarray) -> np.ndarray:
        for weights, offsets in list(zip(network.coefs_, network.intercepts_, strict=True))[:2]:
            part = np.tanh(part @ weights + offsets)
        return part

    return embed


def of_noise(prior: Prior, pool: LabelledAlerts, seed: int) -> Prior:
    """`prior` with a teacher of classes by the toss of a coin."""
    classes = np.random.default_rng(seed).random(len(pool)) < 0.5
    seen = pool.values[:, list(prior.columns)]
    trees = grow(seen, classes, np.ones(len(pool)), trees=100, leaf=10, seed=seed)
    return replace(prior, forest=Forest(trees))


def learners(
    world: World, spaces: Spaces, rows: np.ndarray, target: Target, prior: Prior, seed: int
) -> dict[str, np.ndarray]:
    """Probabilities of the test half by each learner of the labels of `rows`."""
    pool, test = world.pool, world.test
    positive, objects = pool.positive[rows], pool.row[rows]
    found = {}
    for name, kind, teacher in (
        ("random_forest", "random_forest", None),
        ("informed_forest", "informed_forest", prior),
        ("informed_forest, teacher of noise", "informed_forest", of_noise(prior, pool, seed)),
    ):
        changes = {"estimator": kind, "n_estimators": 200, "seed": seed}
        model = target.model.model_copy(update=changes)
        fitted = fit_estimator(model, pool.values[rows], positive, objects, teacher)
        found[name] = predict(fitted, test.values)
    labels = np.full(len(pool), -1)
    labels[rows] = positive
    for where, (here, there) in spaces.items():
        spreading = LabelSpreading(kernel="knn", n_neighbors=10, alpha=0.2).fit(here, labels)
        found[f"spreading, {where}"] = spreading.predict_proba(there)[:, 1]
        forest = RandomForestClassifier(200, random_state=seed)
        found[f"forest, {where}"] = forest.fit(here[rows], positive).predict_proba(there)[:, 1]
    here, there = spaces[FEW]
    teacher = SelfTrainingClassifier(
        RandomForestClassifier(200, random_state=seed), threshold=0.85
    ).fit(here, labels)
    found["self-training"] = teacher.predict_proba(there)[:, 1]
    gaussian = GaussianProcessClassifier(RBF(2.0), optimizer=None).fit(here[rows], positive)
    found["Gaussian process"] = gaussian.predict_proba(there)[:, 1]
    return found


if __name__ == "__main__":
    main()
