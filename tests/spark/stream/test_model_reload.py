"""The loop starts without a model, and a new one scores from the next micro-batch on."""

import itertools
import logging
import re
import threading
import time
from collections import defaultdict

import numpy as np
import pandas as pd
import pytest
from archive_files import paths
from registries import MlflowServer, bad_bundles, fitted, make_champion, register
from streaming import archive, campaign, drain, fill, fill_night, ledger_counts, version_of

from fink_al import metrics
from fink_al.archive.reading import Archive
from fink_al.archive.view import own
from fink_al.errors import ServiceError
from fink_al.features.feature_set import FeatureSet
from fink_al.followup.subscriber import read_candidates
from fink_al.loop import Loop
from fink_al.models.model import Model
from fink_al.settings import find_resource
from fink_al.simulation.nights import simulate
from fink_al.simulation.packets import packets
from fink_al.spark.archived import read_archive
from fink_al.spark.nights.examples import archived_examples
from fink_al.spark.nights.replay import replay
from fink_al.spark.stream.pipeline import Pipeline
from fink_al.training.nightly import retrain

pytestmark = [pytest.mark.spark, pytest.mark.kafka]


def run_until(settings, alerts, seconds=300):
    deadline = time.monotonic() + seconds
    while ledger_counts(settings)["alerts"] < alerts:
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.3)


@pytest.mark.parametrize(
    ("estimator", "without"), [("random_forest", ()), ("informed_forest", ("colour", "mag"))]
)
def test_a_running_stream_takes_up_the_new_champion(spark, world, estimator, without):
    settings = world()
    changes = {"estimator": estimator, "without_features": without}
    model = settings.target.model.model_copy(update=changes)
    target = settings.target.model_copy(update={"model": model})
    settings = settings.model_copy(update={"target": target})
    sky = campaign()
    query = Pipeline(spark, Loop.open(settings)).start()
    try:
        first = fill_night(settings, sky, sky.nights[0])
        run_until(settings, first)
        starting = find_resource("data/early_snia/starting_set.parquet")
        made = retrain(
            Loop.open(settings.model_copy(update={"starting_set": starting})), archived_examples
        )
        assert made.outcome == "promoted"
        second = fill_night(settings, sky, sky.nights[1])
        run_until(settings, first + second)
    finally:
        query.stop()
    records = [r for _, _, r in read_candidates(settings.sink, settings.target.candidates_topic)]
    assert {(r["night"], r["model_version"], r["p_reason"], r["strategy"]) for r in records} == {
        (sky.nights[0], None, "no_model", "random"),
        (sky.nights[1], made.version, None, "entropy"),
    }
    rows = archive(settings)
    scored = rows[rows["model_version"].notna()]
    assert len(scored) == second
    names = FeatureSet.from_settings(settings.target.features).names
    has_features = scored[list(names)].notna().any(axis=1)
    assert (scored["p"].notna() == has_features).all()
    assert has_features.any()
    # The same as without Spark, from the archived features.
    here = Model.from_bytes(
        Loop.open(settings).registry.load(made.version), rows["feature_set_hash"].iloc[0]
    ).predict(scored[list(names)].to_numpy(float))
    np.testing.assert_allclose(scored["p"].to_numpy(float), here, atol=1e-12)
    np.testing.assert_allclose(rows["u"] / rows["pi"], rows["priority"])
    assert all(r["priority"] < r["t"] for r in records)


def test_without_a_model_a_replay_chooses_the_same_sample(spark, world):
    settings = world()
    half = settings.target.follow_up.model_copy(update={"bootstrap_fraction": 0.5})
    settings = settings.model_copy(
        update={"target": settings.target.model_copy(update={"follow_up": half})}
    )
    sky = simulate(1, 900, seed=4)
    n = fill_night(settings, sky, sky.nights[0])
    drain(spark, settings)
    rows = archive(settings)
    assert len(rows) == n
    only_sampling = rows["reasons"].map(lambda reasons: list(reasons) == ["not_drawn"])
    chosen, left = rows["is_candidate"].sum(), only_sampling.sum()
    assert chosen > 5
    assert left > 5
    assert (rows["informativeness"] == 1).all()
    assert (rows["priority"].dropna() == rows["u"].dropna()).all()
    assert rows.loc[rows["is_candidate"], "priority"].between(0, 0.5).all()
    assert rows["p_reason"].dropna().isin(["no_model"]).all()
    columns = ["alert_id", "is_candidate", "reasons", "informativeness", "p_reason", "pi", "u"]
    replayed = replay(spark, Loop.open(settings), sky.nights[0])
    then = read_archive(spark, Loop.open(settings).archive, sky.nights[0])
    assert sorted(replayed.select(*columns).collect()) == sorted(then.select(*columns).collect())


def fast(settings, **stream):
    """`settings` with a stream of their own."""
    return settings.model_copy(update={"stream": settings.stream.model_copy(update=stream)})


def refused_of(settings):
    labels = {"target": settings.target.name}
    return metrics.REGISTRY.get_sample_value("fink_al_models_refused_total", labels) or 0


def figures(settings):
    """Batches and dead letters of all streams of this process; of a target scored, candidates."""
    value, labels = metrics.REGISTRY.get_sample_value, {"target": settings.target.name}
    of_target = (value(f"fink_al_{n}_total", labels) or 0 for n in ("alerts_scored", "candidates"))
    return [value("fink_al_batches_total"), *of_target, value("fink_al_dead_letters_total")]


def parts(settings):
    """Model versions of the archived alerts, by the part that holds them."""
    found = defaultdict(set)
    for file in paths(Archive(settings.archive_dir)):
        rows = pd.read_parquet(file, partitioning=None)
        versions = rows[own(settings.target.name, "model_version")]
        found[file.stem.rpartition("-")[0]] |= set(versions)
    return found


def test_every_alert_names_a_model_that_was_champion_while_its_batch_ran(spark, world):
    settings = fast(world(), max_offsets_per_trigger=40)
    versions = [register(settings, fitted(settings, seed).to_bytes()) for seed in range(3)]
    make_champion(settings, versions[0])
    moves, batches, over = [(0.0, 0.0, versions[0])], [], threading.Event()

    def move():
        for version in itertools.cycle(versions[1:] + versions[:1]):
            if over.wait(0.7):
                return
            begin = time.monotonic()
            make_champion(settings, version)
            moves.append((begin, time.monotonic(), version))

    sky = campaign()
    n = fill_night(settings, sky, sky.nights[0])
    begun = time.monotonic()
    pipeline = Pipeline(
        spark, Loop.open(settings), lambda made: batches.append((time.monotonic(), made))
    )
    mover = threading.Thread(target=move)
    mover.start()
    try:
        pipeline.start(available_now=True).awaitTermination()
    finally:
        over.set()
        mover.join()
    assert ledger_counts(settings)["alerts"] == n
    assert len(batches) >= 6
    archived = parts(settings)
    ends = [end for _, end, _ in moves[1:]] + [float("inf")]
    for since, (until, made) in zip([begun, *(end for end, _ in batches)], batches, strict=False):
        # An alias stands from somewhere in its move to somewhere in the next one.
        stood = {
            version
            for (begin, _, version), end in zip(moves, ends, strict=True)
            if begin <= until and end >= since
        }
        assert version_of(made) in stood
        assert archived[made.part.name] == {version_of(made)}
    assert len({version_of(made) for _, made in batches}) > 1


def test_the_batch_behind_a_move_is_scored_by_the_new_champion(spark, world):
    settings = fast(world(), max_offsets_per_trigger=60)
    versions = [register(settings, fitted(settings, seed).to_bytes()) for seed in range(2)]
    make_champion(settings, versions[0])
    wanted, scored = itertools.cycle(versions[::-1]), []

    def on_batch(made):
        scored.append(version_of(made))
        make_champion(settings, next(wanted))

    sky = campaign()
    fill_night(settings, sky, sky.nights[0])
    before = figures(settings)
    Pipeline(spark, Loop.open(settings), on_batch).start(available_now=True).awaitTermination()
    counts = ledger_counts(settings)
    told = [len(scored), counts["scored"], counts["candidates"], counts["dead_letters"]]
    assert [after - was for after, was in zip(figures(settings), before, strict=True)] == told
    assert len(scored) >= 4
    assert scored == list(itertools.islice(itertools.cycle(versions), len(scored)))


def test_no_bad_bundle_scores(spark, world, tmp_path, caplog):
    settings, trap = world(), tmp_path / "trap"
    good = [fitted(settings, seed).to_bytes() for seed in (1, 2)]
    bad = bad_bundles(settings, trap)
    sky = campaign()
    values = list(itertools.islice(packets(sky, sky.nights[0]), 10 * (len(bad) + 2)))
    before = refused_of(settings)
    query = Pipeline(spark, Loop.open(settings)).start()
    try:
        for n, (bundle, _) in enumerate([(good[0], ""), *bad, (good[1], "")]):
            last = register(settings, bundle)
            make_champion(settings, last)
            fill(settings, sky.nights[0], values[10 * n : 10 * n + 10])
            run_until(settings, 10 * n + 10)
    finally:
        query.stop()
    rows = archive(settings).sort_values("offset")
    assert rows["model_version"].tolist() == ["1"] * 10 * (len(bad) + 1) + [last] * 10
    errors = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert len(errors) == len(bad)
    for number, ((_, said), error) in enumerate(zip(bad, errors, strict=True), 2):
        start = (
            f"Model version {number} of {settings.target.name} refused, version 1 goes on scoring: "
        )
        assert re.match(f"{start}.*{said}", error), error
    after = refused_of(settings)
    assert after - before == len(bad)
    assert not trap.exists()


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    running = MlflowServer(tmp_path / "versions")
    yield running
    running.close()


def test_a_registry_that_fails_while_batches_run(spark, world, server, caplog):
    settings = world()
    uri = settings.registry.model_copy(update={"tracking_uri": server.uri})
    settings = settings.model_copy(update={"registry": uri})
    for version in "1", "2":
        server.add(version, fitted(settings, int(version)).to_bytes())
    sky = campaign()
    values = list(itertools.islice(packets(sky, sky.nights[0]), 90))
    batches, n = [], 0

    def next_alerts(count):
        nonlocal n
        fill(settings, sky.nights[0], values[n : n + count])
        n += count
        run_until(settings, n)

    server.mode = "hang"
    with pytest.raises(ServiceError, match=r"registry at .* failed"):
        Pipeline(spark, Loop.open(settings))  # it never had a model, and must not choose at random
    server.mode, server.champion = "ok", "1"
    query = Pipeline(spark, Loop.open(settings), batches.append).start()
    caplog.clear()
    try:
        next_alerts(10)
        for mode in "refuse", "500", "hang":
            server.mode, server.champion = mode, "2"
            for _ in range(2):
                next_alerts(10)
            server.mode, server.champion = "ok", "1"
            next_alerts(5)
    finally:
        query.stop()
    assert archive(settings)["model_version"].unique().tolist() == ["1"]
    warnings = [r.getMessage() for r in caplog.records if "out of reach" in r.getMessage()]
    assert len(warnings) == 3
    assert max(batch.seconds["prepare"] for batch in batches) < 60
    # A stream that starts in an outage goes on with the model that scored.
    server.mode = "refuse"
    fill(settings, sky.nights[0], values[n : n + 10])
    (batch,) = drain(spark, settings)
    assert version_of(batch) == "1"
