"""Topics, transactions and reading: the only room that touches ``confluent_kafka``."""
