"""What stops an audit is one sentence with what to do."""

import json

import pytest
from click.testing import CliRunner

from fink_al.cli.audit import audit
from fink_al.errors import FinkAlError, ServiceError, SettingsError
from fink_al.kafka.cluster import Cluster
from fink_al.kafka.publisher import produce
from fink_al.loop import Loop


@pytest.fixture
def run(monkeypatch):
    """Runs the command with settings; raises what it raises."""

    def call(settings, *arguments):
        monkeypatch.setattr("fink_al.cli.audit.open_loop", lambda config: Loop.open(settings))
        return CliRunner().invoke(audit, arguments, catch_exceptions=False)

    return call


@pytest.mark.parametrize("night", ["yesterday", "20261301", "2026"])
def test_a_night_that_is_no_date_is_refused(run, settings, night):
    with pytest.raises(SettingsError, match=f"--night is '{night}'; write YYYYMMDD or YYYY-MM-DD"):
        run(settings, "--night", night)


def test_without_a_broker_its_address_is_named(run, settings, monkeypatch):
    monkeypatch.setattr("fink_al.kafka.client.FIRST_ANSWER_S", 0.5)
    away = settings.sink.model_copy(update={"servers": "127.0.0.1:1"})
    with pytest.raises(ServiceError, match=r"Kafka request to 127\.0\.0\.1:1 failed.*sink.servers"):
        run(settings.model_copy(update={"sink": away}))


@pytest.mark.kafka
def test_without_a_record_of_the_night_that_is_said(run, world):
    settings = world()
    ledger = settings.ledger_topic
    with pytest.raises(FinkAlError, match=f"Topic '{ledger}' at .* has no record of any alert: "):
        run(settings)
    topic = settings.topics.replace("[0-9]{8}", "20260105")
    offsets = {"cluster": "C", "topic": topic, "topic_id": "T", "partition": 0, "lost": 0}
    record = {
        "part": "one",
        "written": "2026-01-06T02:00:00Z",
        "counts": {"alerts": 2, "scored": 0, "candidates": 0, "dead_letters": 1},
        "offsets": [offsets | {"first": 0, "until": 2}],
    }
    Cluster(settings.sink).create_topic(ledger)
    produce(settings.sink, ledger, [json.dumps(record).encode()])
    with pytest.raises(FinkAlError, match="no record of night 20260106; nights there: 20260105"):
        run(settings, "--night", "2026-01-06")
    # One of them is a dead letter that expired; nobody knows which.
    done = run(settings)
    assert done.exit_code == 1
    assert "offsets 0-1: missing; it is of another cluster." in done.output
    assert done.output.endswith("Night 20260105 does not add up (2 missing).\n")
    assert json.loads(run(settings, "--json").output)["missing"] == 2
