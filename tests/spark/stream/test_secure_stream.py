"""Spark reads a secured Kafka, and shows nobody how."""

import json

import pytest
from secure_kafka import SECRETS
from streaming import drain, fill, published

from fink_al.errors import SettingsError
from fink_al.kafka.cluster import Cluster
from fink_al.kafka.publisher import produce
from fink_al.kafka.reading import read_ledger
from fink_al.settings import find_resource
from fink_al.simulation.packets import packets
from fink_al.spark.stream.topics import read_topics

pytestmark = [
    pytest.mark.spark,
    pytest.mark.kafka,
    pytest.mark.usefixtures("kafka_secrets"),
]

_LOG = """\
rootLogger.level = info
logger.kafka.name = org.apache.kafka
logger.kafka.level = debug
logger.spark.name = org.apache.spark.sql.kafka010
logger.spark.level = debug
rootLogger.appenderRef.file.ref = file
appender.file.type = File
appender.file.name = file
appender.file.fileName = {file}
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %p %c: %m%n%ex
"""


@pytest.fixture
def java_log(spark, tmp_path):
    """File of all that Spark's Java side has to say, what its Kafka client thinks, too."""
    configurator = spark.sparkContext._jvm.org.apache.logging.log4j.core.config.Configurator
    address = spark.sparkContext._jvm.java.net.URI
    wanted = tmp_path / "log4j2.properties"
    wanted.write_text(_LOG.format(file=tmp_path / "java.log"), "utf-8")
    configurator.reconfigure(address(wanted.as_uri()))
    yield tmp_path / "java.log"
    configurator.reconfigure(address(find_resource("conf/log4j2.properties").as_uri()))


@pytest.fixture
def settings_of(world):
    """Makes settings whose source and sink are the clusters `source` and `sink`."""

    def make(source, sink=None):
        return world().model_copy(update={"source": source, "sink": sink or source})

    return make


@pytest.mark.parametrize("way", ["scram", "mutual", "oauth"])
def test_spark_reads_and_neither_log_nor_plan_shows_a_secret(
    spark, secure_broker, settings_of, java_log, way
):
    kafka = getattr(secure_broker, way)()
    settings, topic = settings_of(kafka), f"spark_{way}"
    Cluster(kafka).create_topic(topic)
    produce(kafka, topic, [b"a", b"b"])
    rows = read_topics(spark, settings, topic)
    assert sorted(bytes(row.value) for row in rows.collect()) == [b"a", b"b"]
    execution = rows._jdf.queryExecution()
    shown = java_log.read_text("utf-8", "replace") + execution.toString() + repr(settings)
    assert "ConsumerConfig values" in shown
    secrets = [SECRETS[name] for name in SECRETS if name.endswith(("PASSWORD", "SECRET"))]
    if kafka.key_file:
        secrets += kafka.key_file.read_text("ascii").splitlines()[1:-1]
    # As it is, and as JAAS and JSON write it.
    assert not [s for s in secrets if s in shown or json.dumps(s)[1:-1] in shown]


def test_a_stream_reads_by_one_way_and_publishes_by_another(
    spark, secure_broker, settings_of, sky, java_log
):
    settings = settings_of(secure_broker.scram(), secure_broker.mutual())
    night = int(sky.alerts["night"].min())
    fill(settings, night, packets(sky, night))
    reports = drain(spark, settings)
    assert sum(report.part.alerts for report in reports) > 100
    assert published(settings)
    assert list(read_ledger(settings.sink, settings.ledger_topic))
    shown = java_log.read_bytes()
    for file in settings.checkpoint_dir.rglob("*"):
        shown += file.read_bytes() if file.is_file() else b""
    for name in SECRETS:
        assert SECRETS[name].encode() not in shown or name.endswith("USERNAME")


def test_an_option_that_java_does_not_know_is_a_wrong_setting(spark, secure_broker, settings_of):
    kafka = secure_broker.scram(options_java={"fetch.max.wait": "5"})
    with pytest.raises(SettingsError, match=r"localhost:\d+: Java knows no option 'fetch\.max\.w"):
        read_topics(spark, settings_of(kafka), "a")
