"""Two weeks: a label retyped, a night of wrong types, a rollback, a stream killed in the middle."""

import signal
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
import yaml

from fink_al.demo.oracle import Oracle
from fink_al.demo.stream_job import StreamJob
from fink_al.followup.subscriber import read_candidates
from fink_al.followup.tonight import candidates
from fink_al.kafka.cluster import Cluster
from fink_al.kafka.publisher import produce
from fink_al.kafka.reading import read_ledger
from fink_al.labels.label import Label
from fink_al.loop import Loop
from fink_al.models.registry import DECISION
from fink_al.settings import Exposure, find_resource
from fink_al.settings.taxonomy import UNCLASSIFIED
from fink_al.simulation.nights import simulate
from fink_al.simulation.packets import packets
from fink_al.spark.nights.examples import archived_examples
from fink_al.training.history import reproduce
from fink_al.training.nightly import retrain

pytestmark = [pytest.mark.spark, pytest.mark.kafka]

NIGHTS, ALERTS, SPECTRA, SEED = 14, 400, 12, 5
RETYPED, POISONED, ROLLED_BACK, KILLED = 2, 4, 8, 11
TIMEOUT_S = 240.0


class Campaign:
    """The loop over two weeks, with what happens in some of them."""

    def __init__(self, settings, config, folder):
        self.settings, self.registry = settings, Loop.open(settings).registry
        self.store = Loop.open(settings).labels.store
        self.sky = simulate(NIGHTS, ALERTS, SEED)
        self.oracle = Oracle(self.sky.truth, Exposure(), SEED)
        self.config, self.log = config, folder / "stream.log"
        self.scored_by, self.summaries, self.sent = {}, [], Counter()
        self.spectra = Counter()

    def stream(self):
        return StreamJob(self.settings.sink, self.settings.ledger_topic, self.config, self.log)

    def train(self):
        self.summaries.append(retrain(Loop.open(self.settings), archived_examples))
        return self.summaries[-1]

    def publish(self, night):
        topic = self.settings.topics.replace("[0-9]{8}", str(night))
        Cluster(self.settings.source).create_topic(topic)
        self.sent[night] = produce(self.settings.source, topic, packets(self.sky, night))
        self.scored_by[night] = self.registry.champion()
        return {topic: self.sent[night]}

    def observe(self, night):
        """Take the night's list from the top, by hand."""
        begin = datetime.strptime(str(night), "%Y%m%d").replace(tzinfo=UTC)
        observed, received = begin + timedelta(hours=15), begin + timedelta(hours=24)
        labels = []
        for row in candidates(Loop.open(self.settings), night)[1].head(SPECTRA).to_dict("records"):
            name = row["object_id"]
            self.spectra[name] += 1
            kind = self.oracle.observe(name, row["mag"], self.spectra[name])
            labels.append(
                Label(name, kind, "spectrum", observed, received, "demo", list=int(row["list"]))
            )
        self.store.add(labels)
        return labels


@pytest.fixture
def campaign(world, tmp_path):
    settings = world()
    model = settings.target.model.model_copy(update={"n_estimators": 150})
    target = settings.target.model_copy(update={"model": model})
    stream = settings.stream.model_copy(update={"max_offsets_per_trigger": ALERTS // 2})
    files = {
        name: find_resource(f"data/early_snia/{name}.parquet")
        for name in ("starting_set", "test_set")
    }
    settings = settings.model_copy(update={"target": target, "stream": stream, **files})
    config = tmp_path / "fink_al.yml"
    config.write_text(yaml.safe_dump(settings.model_dump(mode="json")), "utf-8")
    return Campaign(settings, config, tmp_path)


def wrong(label):
    """The other class than the spectrum shows."""
    if label.type == UNCLASSIFIED:
        return label
    return replace(label, type="SN II" if label.type.startswith("SN Ia") else "SN Ia")


def later(label, days):
    """The same spectrum, looked at again."""
    return replace(label, modified=label.modified + timedelta(days=days))


def test_two_weeks(campaign, spark):
    assert campaign.train().outcome == "promoted"
    retyped = None
    with campaign.stream() as job:
        nights = list(campaign.sky.nights)
        for number, night in enumerate(nights[:KILLED]):
            job.wait_for(campaign.publish(night), TIMEOUT_S)
            labels = campaign.observe(night)
            assert labels
            if number == RETYPED:
                retyped = next(label for label in labels if label.type == "SN Ia")
                campaign.store.add([replace(later(retyped, 1), type="SN Ia-91T-like")])
            if number == POISONED:
                before = campaign.registry.champion()
                campaign.store.add(later(wrong(label), 1) for label in labels)
                poisoned = campaign.train()
                # The next day somebody looks at the spectra again.
                campaign.store.add(later(label, 2) for label in labels)
                assert (poisoned.outcome, poisoned.champion) == ("kept", before)
                assert poisoned.why.startswith("not shown to be as good")
                assert campaign.registry.champion() == before
            campaign.train()
            if number == ROLLED_BACK:
                old = campaign.registry.champion()
                if old == "1":  # no labels so far were worth a promotion: a person promotes
                    old = campaign.registry.versions()[-1].number
                    campaign.registry.promote(old, "a person")
                taken_back, back = campaign.registry.roll_back("a test")
                assert taken_back == old
                assert campaign.registry.champion() == back
                # What was kept beside the old champion may be judged again; the old one is not.
                campaign.train()
                assert campaign.registry.champion() != taken_back
        # In the midst of a night the stream is killed, and started again.
        night, campaign_topics = nights[KILLED], campaign.publish(nights[KILLED])
        wait_until_some_is_done(campaign, campaign_topics)
        job._signal(signal.SIGKILL)
    with campaign.stream() as job:
        job.wait_for(campaign_topics, TIMEOUT_S)
        campaign.observe(night)
        campaign.train()
        for night in nights[KILLED + 1 :]:
            job.wait_for(campaign.publish(night), TIMEOUT_S)
            campaign.observe(night)
            campaign.train()
    check_archive(campaign)
    check_candidates(campaign)
    check_labels(campaign, retyped)
    check_models(campaign, taken_back)


def wait_until_some_is_done(campaign, topics):
    """Until the ledger has a part of a night, and not all of it."""
    (topic,), deadline = topics, time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        records = read_ledger(campaign.settings.sink, campaign.settings.ledger_topic)
        if any(offsets["topic"] == topic for r in records for offsets in r["offsets"]):
            return
        time.sleep(0.1)
    raise AssertionError("nothing was done")


def check_archive(campaign):
    """Every alert is there once, and names the champion of its night."""
    kept = Loop.open(campaign.settings).archive
    names = ["night", "alert_id", "model_version"]
    rows = pa.concat_tables(kept.batches(kept.files(), kept.schema(), names))
    found = Counter(zip(*(rows[name].to_pylist() for name in ("night", "alert_id")), strict=True))
    assert set(found.values()) == {1}
    assert Counter(rows["night"].to_pylist()) == campaign.sent
    versions = {(row["night"], row["model_version"]) for row in rows.to_pylist()}
    assert versions == set(campaign.scored_by.items())


def check_candidates(campaign):
    """No object twice a night, and none that had a type before."""
    topic = campaign.settings.target.candidates_topic
    asked = [
        (record["object_id"], record["night"])
        for _, _, record in read_candidates(campaign.settings.sink, topic)
    ]
    assert len(set(asked)) == len(asked)
    rows = campaign.store.read().to_pylist()
    typed = {}
    for row in rows:
        if row["type"] != UNCLASSIFIED:
            night = int(f"{row['observed']:%Y%m%d}")
            typed[row["object_id"]] = min(night, typed.get(row["object_id"], night))
    assert typed
    assert not [name for name, night in asked if night > typed.get(name, night)]


def check_labels(campaign, retyped):
    """All that was said is there; the last word counts."""
    history = campaign.store.history(retyped.object_id).to_pylist()
    assert [(row["type"], row["stands"]) for row in history] == [
        ("SN Ia", False),
        ("SN Ia-91T-like", True),
    ]
    truth = dict(campaign.sky.truth[["object_id", "type"]].itertuples(index=False))
    truth[retyped.object_id] = "SN Ia-91T-like"
    stands = campaign.store.standing().to_pylist()
    assert all(row["type"] in (truth[row["object_id"]], UNCLASSIFIED) for row in stands)


def check_models(campaign, taken_back):
    """Kept ones say why, what was rolled back stays so, and the last can be made again."""
    versions = campaign.registry.versions()
    decisions = Counter(made.tags[DECISION] for made in versions)
    assert set(decisions) == {"promoted", "kept", "rolled_back"}
    assert decisions["rolled_back"] == 1
    assert {v.number: v.tags[DECISION] for v in versions}[taken_back] == "rolled_back"
    assert all(made.tags["why"] for made in versions)
    made = reproduce(Loop.open(campaign.settings), versions[-1].number, archived_examples)
    assert made.is_same
    assert made.examples == int(versions[-1].tags["examples"])
