"""Topics, transactions and reading: the only room that touches ``confluent_kafka``."""

from fink_al.kafka.cluster import Cluster, Topic
from fink_al.kafka.publisher import Publisher
from fink_al.kafka.reading import read

__all__ = ["Cluster", "Publisher", "Topic", "read"]
