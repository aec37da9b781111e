"""A Kafka cluster and the topics that it has."""

from __future__ import annotations

import re
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, NewTopic

from fink_al.kafka import client
from fink_al.kafka.client import open_client
from fink_al.kafka.faults import Faults, answered
from fink_al.settings import Kafka

_FOR_EVER = {"retention.ms": "-1", "retention.bytes": "-1"}


class Cluster:
    """A Kafka cluster as seen by an administrator.

    Raises
    ------
    ServiceError
        By every method, if the cluster does not answer.
    SettingsError
        By the constructor, as by every function of this room, if the client refuses an option.
    """

    def __init__(self, kafka: Kafka):
        self._faults = Faults(kafka)
        self._admin = open_client(AdminClient, kafka, self._faults)

    def identifier(self) -> str:
        """Cluster id, which no two clusters share."""
        return str(self._list().cluster_id)

    def topics(self, pattern: str) -> dict[str, Topic]:
        """Topics whose whole name matches the regular expression `pattern`, by name."""
        found = self._list().topics
        names = sorted(name for name in found if re.fullmatch(pattern, name))
        if not names:
            return {}
        with answered(self._faults):
            described = self._admin.describe_topics(
                TopicCollection(names), request_timeout=client.TIMEOUT_S
            )
            topics = {}
            for name, future in described.items():
                try:
                    topic = future.result()
                except KafkaException as error:  # deleted since it was listed
                    if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                        continue
                    raise
                topics[name] = Topic(str(topic.topic_id), len(topic.partitions))
            return topics

    def create_topic(self, name: str, partitions: int = 1, *, for_ever: bool = False) -> None:
        """Create topic `name` unless it exists."""
        config = {"max.message.bytes": str(client.MAX_MESSAGE_BYTES)} | (
            _FOR_EVER if for_ever else {}
        )
        new = NewTopic(name, num_partitions=partitions, config=config)
        with answered(self._faults):
            try:
                self._admin.create_topics([new], request_timeout=client.TIMEOUT_S)[name].result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise

    def delete_topic(self, name: str) -> None:
        """Delete topic `name`."""
        with answered(self._faults):
            self._admin.delete_topics([name], request_timeout=client.TIMEOUT_S)[name].result()

    def _list(self) -> Any:
        with answered(self._faults):
            return self._admin.list_topics(timeout=client.FIRST_ANSWER_S)


class Topic:
    """Identity of a topic, which changes when it is deleted and recreated, and its partitions."""

    def __init__(self, identifier: str, partitions: int):
        self.identifier = identifier
        self.partitions = partitions
