"""Gain by a small sequence network that simulated light curves taught.

A gated recurrent unit (Cho et al. 2014) reads the nights of an alert's light curve in order of
time: days before the alert, band, magnitude relative to the alert's, its error, and of each band
the last limit before its first detection. It reads no magnitude of its own, as the teacher does
not. It learns from simulated alerts as `data/make.py` makes them, of other seasons. As no real
field is seen every night, each pass drops another part of the nights, and the limits of half of
the alerts. It stops where the AUC of simulated objects held out is highest. Its answer is the mean
log odds of several networks.

It is judged as in `ways.py`: the same real alerts, halves, weights and intervals. Beside it stand
the simulated teacher, and a forest of the same features taught by the network's own simulated
alerts. Differences are computed sample by sample.

JAX is no dependency of the project: `pip install jax` into an environment of its own.

    python benchmarks/sequence.py [--points FILE] [--contaminants FILE] [--splits 4]
        [--seasons 10] [--no-labels] [--check] [--quick]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from claims import Claim, judge
from other_sky import bounded
from scipy.special import expit, logit
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from ways import Sky, parser_of, shown, sky_of, tables, teaching_half, ten_of, weight_of_alerts

from fink_al.alerts import light_curves
from fink_al.features.feature_set import FeatureSet
from fink_al.features.nightly import nightly_means
from fink_al.lightcurve import LightCurves
from fink_al.models.estimators.estimator import fit_estimator, predict
from fink_al.models.estimators.prior import Prior
from fink_al.settings import Settings, load_settings
from fink_al.training.teacher import prior_of
from fink_al.training.teaching_set import read_teaching_set

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))  # the package holds no data makers
from make import teaching_set

try:
    import jax
    import jax.numpy as jnp
except ImportError:
    jax = None

LEAST_GAIN = 0.02  # of AUC, on all alerts and on few detections of both skies: worth a dependency
_FIRST_SEASON = 7200  # seeds from here on make no other data set
_BANDS = ("g", "r")
_LENGTH = 30  # nights and limits of a sequence
_HIDDEN, _BATCH, _RATE = 32, 256, 2e-3
_TUNED = 5e-4  # rate at which labels change what simulation taught
_PASSES, _PATIENCE = 30, 6
_VERSIONS = 8  # of the simulated alerts, each with other nights
_HELD_OUT = 0.2  # of the objects
_LEAST_KEPT = 0.25  # of the nights
_SMALLEST_P = 1e-3
_LEAF = 6

_NETWORK = "no label: network"
_FOREST = "no label: forest, the network's simulation"
_COMPARED = (
    ("network, no label", _NETWORK, "no label: simulated teacher"),
    ("network, same simulation", _NETWORK, _FOREST),
    ("mean, no label", "no label: mean of network and teacher", "no label: simulated teacher"),
    (
        "mean, network for forest",
        "no label: mean of network and teacher",
        "no label: mean of forest and teacher",
    ),
    ("ten labels", "ten labels: network", "ten labels: simulated teacher"),
    ("all labels, network read", "all labels: forest, network", "all labels: forest, teacher"),
    ("all labels, network", "all labels: network, simulation first", "all labels: forest"),
    ("all labels, mean", "all labels: mean of the last and forest", "all labels: forest"),
)

Weights = dict[str, Any]


class Taught(NamedTuple):
    """Examples for a network: sequences (n, length, inputs), classes, weights, objects, (n,)."""

    #: Several versions of the same alerts: a pass reads one.
    versions: Sequence[np.ndarray]
    positive: np.ndarray
    weights: np.ndarray
    objects: np.ndarray


def main() -> None:
    """Teach, judge, and print."""
    parser = parser_of(__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=3, help="networks whose mean is taken")
    parser.add_argument("--seasons", type=int, default=10, help="simulated seasons that teach")
    parser.add_argument("--no-labels", action="store_true", help="leave out what labels are for")
    options = parser.parse_args()
    missing = [f"file {f}" for f in (options.points, options.contaminants) if not f.exists()]
    if jax is None:
        missing = ["JAX, which 'pip install jax' gives", *missing]
    if missing:
        print(f"sequence: there is no {missing[0]}: nothing was measured")
        sys.exit(1 if options.check or not options.quick else 0)
    settings = load_settings(starting_set=None, test_set=None)
    prior = prior_of(
        settings.target,
        settings.target.features,
        read_teaching_set(settings.teaching_set, settings.target, settings.taxonomy),
    )
    assert prior
    assert prior.anchors is not None
    quick = options.quick
    seasons, networks, passes = (1, 1, 1) if quick else (options.seasons, options.networks, _PASSES)
    splits, trees, draws = (1, 3, 20) if quick else (options.splits, 100, 100)
    curves, simulated = simulation(settings, seasons, min(_VERSIONS, passes))
    taught = [fitted(simulated, seed, passes) for seed in range(networks)]
    print("AUC of held-out simulated objects: " + ", ".join(f"{auc:.3f}" for _, auc in taught))
    nets = [weights for weights, _ in taught]
    values = FeatureSet.from_settings(settings.target.features).extract(curves).values
    forest = RandomForestClassifier(trees, min_samples_leaf=10, random_state=0, n_jobs=1)
    forest.fit(bounded(values[:, list(prior.columns)]), simulated.positive, simulated.weights)
    drawn = np.random.default_rng(0).permutation(len(values))[: len(prior.anchors)]
    anchors = np.column_stack([values[drawn], answer(nets, simulated.versions[0][drawn])])
    reader = replace(prior, forest=_Reads(), columns=(values.shape[1],), anchors=anchors)
    gains: list[list[float]] = []
    for name, points in tables(options.points, options.contaminants, settings, quick).items():
        sky = sky_of(points, settings)
        print(f"{name}: {len(sky.row)} alerts of {len(np.unique(sky.row))} objects")
        inputs = sequences(sky.curves)
        found = without_labels(sky, inputs, prior, forest, nets, splits)
        if not options.no_labels:
            found |= with_labels(sky, inputs, settings, prior, reader, nets, splits, trees, passes)
        for way, p in found.items():
            shown(way, p, sky, draws)
        for label, way, other in _COMPARED:
            if way not in found:
                continue
            gain = shown(f"gain: {label}", found[way], sky, draws, beside=found[other])
            if way == _NETWORK:
                gains.append([each[0] for each in gain])
    least = np.min(gains, axis=0)
    judge(
        [
            Claim(f"sequence_{part}", gain, "gain of AUC, no label", LEAST_GAIN, gain > LEAST_GAIN)
            for part, gain in zip(("all", "few"), least.tolist(), strict=True)
        ],
        options.check,
    )


class _Reads:
    """A teacher whose answer is the only column."""

    def predict_proba(self, values: np.ndarray) -> np.ndarray:
        return np.column_stack([1 - values[:, 0], values[:, 0]])


def simulation(settings: Settings, seasons: int, versions: int) -> tuple[LightCurves, Taught]:
    """Simulated light curves, and the sequences of versions with fewer nights."""
    rows = teaching_set(settings, range(_FIRST_SEASON, _FIRST_SEASON + seasons))
    classes = settings.taxonomy.classify(rows["type"].to_pylist(), settings.target)
    positive = np.array([each is True for each in classes], bool)
    _, objects = np.unique(rows["object_id"].to_numpy(), return_inverse=True)
    curves = light_curves(rows, settings.survey)
    rng = np.random.default_rng(0)
    thinner = [sequences(thinned(curves, rng)) for _ in range(versions)]
    share = positive.mean()
    weights = np.where(positive, 0.5 / share, 0.5 / (1 - share))  # as of the simulated teacher
    return curves, Taught(thinner, positive, weights, objects)


def thinned(curves: LightCurves, rng: np.random.Generator) -> LightCurves:
    """Leave nights out, another share of each alert, and the limits of half of the alerts."""
    owner = curves.alert_of_point()
    back = nights_back(curves)
    kept = rng.uniform(_LEAST_KEPT, 1, len(curves))[:, None]
    is_kept = rng.random((len(curves), back.max() + 1)) < kept
    is_kept[:, 0] = True
    has_limits = rng.random(len(curves)) < 0.5
    return curves.select_points(is_kept[owner, back] & (has_limits[owner] | ~curves.is_upper_limit))


def nights_back(curves: LightCurves) -> np.ndarray:
    """Nights from each point to its alert's latest, shape (p,)."""
    owner, night = curves.alert_of_point(), np.floor(curves.mjd - curves.day_start)
    latest = np.full(len(curves), -np.inf)
    np.maximum.at(latest, owner, night)
    return (latest[owner] - night).astype(int)


def sequences(curves: LightCurves) -> np.ndarray:
    """Nights and limits of each alert, the latest at the end, shape (n, `_LENGTH`, 6).

    Inputs: 1 where there is a night, tens of days before the alert's latest, 1 for r, 1 for a
    limit, magnitude above the alert's, error [mag]. Before the first night all are 0.
    """
    nights, n, codes = nightly_means(curves), len(curves), len(curves.bands)
    counts = np.diff(nights.offsets)
    cell = np.repeat(np.arange(n * codes), counts)
    rows = limits_of(curves, nights.mjd, nights.offsets)
    alert = np.concatenate([cell // codes, curves.alert_of_point()[rows]])
    band = np.concatenate([cell % codes, curves.band[rows]])
    mjd = np.concatenate([nights.mjd, curves.mjd[rows]])
    flux = np.concatenate([nights.flux, curves.flux[rows]])
    err = np.concatenate([nights.flux_err, np.zeros(len(rows))])
    is_limit = np.arange(len(mjd)) >= len(nights.mjd)
    order = np.lexsort((mjd, alert))
    order = order[np.isin(band[order], [curves.bands.index(each) for each in _BANDS])]
    alert, band, mjd, flux, err, is_limit = (
        each[order] for each in (alert, band, mjd, flux, err, is_limit)
    )
    flux = np.maximum(flux, 1e-3)
    latest = np.zeros(n), np.ones(n)  # time and flux of the alert
    for target, each in zip(latest, (mjd, flux), strict=True):
        target[alert[~is_limit]] = each[~is_limit]
    total = np.bincount(alert, minlength=n)
    place = _LENGTH - (np.repeat(np.cumsum(total), total) - np.arange(len(alert)))
    inputs = np.column_stack(
        [
            np.ones(len(alert)),
            (latest[0][alert] - mjd) / 10,
            band == curves.bands.index("r"),
            is_limit,
            np.clip(2.5 * np.log10(flux / latest[1][alert]), -4, 2),
            np.clip(err / flux, 0, 1),
        ]
    )
    found = np.zeros((n, _LENGTH, inputs.shape[1]), np.float32)
    found[alert[place >= 0], place[place >= 0]] = inputs[place >= 0]
    return found


def limits_of(curves: LightCurves, mjd: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Rows of the last limit of each alert and band before its first night there."""
    codes = len(curves.bands)
    first = np.full(len(offsets) - 1, np.inf)
    has = np.diff(offsets) > 0
    first[has] = mjd[offsets[:-1][has]]
    rows = np.flatnonzero(curves.is_upper_limit & (curves.band >= 0) & np.isfinite(curves.flux))
    cell = curves.alert_of_point()[rows] * codes + curves.band[rows]
    early = curves.mjd[rows] < first[cell]
    rows, cell = rows[early], cell[early]
    order = np.lexsort((curves.mjd[rows], cell))
    is_last = np.append(np.diff(cell[order]) > 0, True)[: len(order)]
    return rows[order][is_last]


def without_labels(
    sky: Sky, inputs: np.ndarray, prior: Prior, forest: RandomForestClassifier,
    nets: Sequence[Weights], splits: int,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Probabilities of the judging half by what was simulated, shape (splits, n), else NaN."""
    shapes = bounded(sky.values[:, list(prior.columns)])
    taught = prior.forest.predict_proba(shapes)[:, 1]
    other, network = forest.predict_proba(shapes)[:, 1], answer(nets, inputs)
    p = {
        "no label: simulated teacher": taught,
        _FOREST: other,
        _NETWORK: network,
        "no label: mean of forest and teacher": (other + taught) / 2,
        "no label: mean of network and teacher": (network + taught) / 2,
    }
    teaches = np.stack([teaching_half(sky, seed) for seed in range(splits)])
    return {name: np.where(teaches, np.nan, each) for name, each in p.items()}


def with_labels(
    sky: Sky, inputs: np.ndarray, settings: Settings, prior: Prior, reader: Prior,
    nets: Sequence[Weights], splits: int, trees: int, passes: int,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Probabilities of the judging half by what labels taught, too, shape (splits, n), else NaN."""
    taught = prior.forest.predict_proba(bounded(sky.values[:, list(prior.columns)]))[:, 1]
    network = answer(nets, inputs)
    values = np.column_stack([sky.values, network])
    own = weight_of_alerts(sky)
    of_splits: dict[str, np.ndarray] = {}
    for seed in range(splits):
        teaches = teaching_half(sky, seed)
        p: dict[str, np.ndarray] = {}
        few = ten_of(sky, ~teaches, seed)
        for name, teacher in (("simulated teacher", prior), ("network", reader)):
            bent = fit_estimator(
                settings.target.model, values[few], sky.positive[few], sky.row[few], teacher,
                threads=1,
            )  # fmt: skip
            # The ten do not judge.
            p[f"ten labels: {name}"] = np.where(few, np.nan, predict(bent, values))
        for name, columns in (
            ("forest", [sky.values]),
            ("forest, teacher", [sky.values, taught]),
            ("forest, network", [sky.values, network]),
            ("forest, teacher, network", [sky.values, taught, network]),
        ):
            learned = RandomForestClassifier(
                trees, min_samples_leaf=_LEAF, random_state=seed, n_jobs=1
            )
            each = bounded(np.column_stack(columns))
            each = each[:, np.isfinite(each[teaches]).any(axis=0)]
            learned.fit(each[teaches], sky.positive[teaches], own[teaches])
            p[f"all labels: {name}"] = learned.predict_proba(each)[:, 1]
        half = Taught([inputs[teaches]], sky.positive[teaches], own[teaches], sky.row[teaches])
        alone = [fitted(half, each, passes)[0] for each in range(len(nets))]
        tuned = [fitted(half, each, passes, net)[0] for each, net in enumerate(nets)]
        p["all labels: network of real light curves"] = answer(alone, inputs)
        p["all labels: network, simulation first"] = answer(tuned, inputs)
        p["all labels: mean of the last and forest"] = (
            p["all labels: network, simulation first"] + p["all labels: forest"]
        ) / 2
        for name, each in p.items():
            judged = np.where(teaches, np.nan, each)
            of_splits.setdefault(name, np.full((splits, len(each)), np.nan))[seed] = judged
    return of_splits


def answer(nets: Sequence[Weights], inputs: np.ndarray) -> np.ndarray:
    """Probability by the mean log odds of networks, shape (n,)."""
    odds = np.mean([odds_of(net, inputs) for net in nets], axis=0)
    return expit(np.clip(odds, logit(_SMALLEST_P), -logit(_SMALLEST_P)))


def odds_of(net: Weights, inputs: np.ndarray, rows: int = 2048) -> np.ndarray:
    """Log odds by a network, shape (n,)."""
    padded = np.zeros((-(-len(inputs) // rows) * rows, *inputs.shape[1:]), np.float32)
    padded[: len(inputs)] = inputs  # one shape is compiled
    parts = [compiled()[0](net, padded[i : i + rows]) for i in range(0, len(padded), rows)]
    return np.concatenate(parts)[: len(inputs)].astype(float)


def fitted(
    taught: Taught, seed: int, passes: int, begin: Weights | None = None
) -> tuple[Weights, float]:
    """Network with the best AUC on held-out objects, and that AUC; `begin` is what to change."""
    rng = np.random.default_rng(seed)
    objects = np.unique(taught.objects)
    held = rng.permutation(objects)[: max(1, int(_HELD_OUT * len(objects)))]
    judges = np.isin(taught.objects, held)
    rows = np.flatnonzero(~judges)
    size = min(_BATCH, len(rows))
    net = drawn_weights(rng, taught.versions[0].shape[2]) if begin is None else begin
    rate = _RATE if begin is None else _TUNED
    zeros = {name: np.zeros_like(each) for name, each in net.items()}
    moments = zeros, zeros
    weights = (taught.weights / taught.weights.mean()).astype(np.float32)
    truth = taught.positive.astype(np.float32)
    best, best_auc, since, steps = net, held_out_auc(net, taught, judges), 0, 0
    for turn in range(passes):
        inputs = taught.versions[turn % len(taught.versions)]
        order = rng.permutation(rows)
        for at in range(0, len(order) - size + 1, size):
            use = order[at : at + size]
            steps += 1
            net, moments = compiled()[1](
                net, moments, steps, rate, inputs[use], truth[use], weights[use]
            )
        auc = held_out_auc(net, taught, judges)
        since = since + 1
        if auc > best_auc:
            best, best_auc, since = net, auc, 0
        if since == _PATIENCE:
            break
    return best, best_auc


def held_out_auc(net: Weights, taught: Taught, judges: np.ndarray) -> float:
    """AUC of the alerts where `judges` is true."""
    odds = odds_of(net, taught.versions[0][judges])
    weights = taught.weights[judges]
    return float(roc_auc_score(taught.positive[judges], odds, sample_weight=weights))


def drawn_weights(rng: np.random.Generator, inputs: int) -> Weights:
    """Random weights of a network before it learns."""

    def drawn(rows, columns):
        return (rng.normal(size=(rows, columns)) / np.sqrt(rows)).astype(np.float32)

    zeros, n = np.zeros, _HIDDEN
    return {
        "gates": drawn(inputs + n, 2 * n), "gates_0": zeros(2 * n, np.float32),
        "state": drawn(inputs + n, n), "state_0": zeros(n, np.float32),
        "layer": drawn(n, n), "layer_0": zeros(n, np.float32),
        "odds": drawn(n, 1), "odds_0": zeros(1, np.float32),
    }  # fmt: skip


@lru_cache(maxsize=1)
def compiled():
    """Functions of the network: log odds of sequences, and a step of Adam (Kingma & Ba 2015)."""

    def odds(net, inputs):
        def read(state, now):
            both = jnp.concatenate([now, state], axis=1)
            reset, keep = jnp.split(jax.nn.sigmoid(both @ net["gates"] + net["gates_0"]), 2, axis=1)
            both = jnp.concatenate([now, reset * state], axis=1)
            new = keep * state + (1 - keep) * jnp.tanh(both @ net["state"] + net["state_0"])
            return jnp.where(now[:, :1] > 0, new, state), None

        state = jnp.zeros((len(inputs), _HIDDEN))
        state, _ = jax.lax.scan(read, state, jnp.swapaxes(inputs, 0, 1))
        layer = jax.nn.relu(state @ net["layer"] + net["layer_0"])
        return (layer @ net["odds"] + net["odds_0"])[:, 0]

    def loss(net, inputs, truth, weights):
        found = odds(net, inputs)
        return jnp.mean(weights * (jax.nn.softplus(found) - truth * found))

    def step(net, moments, steps, rate, inputs, truth, weights):
        slope = jax.grad(loss)(net, inputs, truth, weights)
        first = {name: 0.9 * moments[0][name] + 0.1 * each for name, each in slope.items()}
        second = {name: 0.999 * moments[1][name] + 1e-3 * each**2 for name, each in slope.items()}
        rate = rate * jnp.sqrt(1 - 0.999**steps) / (1 - 0.9**steps)
        net = {
            name: each - rate * first[name] / (jnp.sqrt(second[name]) + 1e-8)
            for name, each in net.items()
        }
        return net, (first, second)

    return jax.jit(odds), jax.jit(step)


if __name__ == "__main__":
    main()
