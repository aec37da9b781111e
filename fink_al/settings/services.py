"""Kafka, the streaming job, the registry of models."""

from __future__ import annotations

import os
from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator

from fink_al.errors import SettingsError
from fink_al.settings.kinds import Count, Pattern, Section, Servers
from fink_al.settings.variables import KAFKA_PASSWORD, KAFKA_USER


class Kafka(Section):
    """A Kafka cluster. User and password come from the environment."""

    servers: Servers
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = "SCRAM-SHA-512"

    def client_options(self) -> dict[str, str]:
        """Options of librdkafka (``confluent_kafka``), with credentials where they are needed."""
        options = {
            "bootstrap.servers": self.servers,
            "security.protocol": self.security_protocol,
        }
        if self.security_protocol.startswith("SASL"):
            user, password = self._credentials()
            options |= {
                "sasl.mechanism": self.sasl_mechanism,
                "sasl.username": user,
                "sasl.password": password.get_secret_value(),
            }
        return options

    def java_options(self) -> dict[str, str]:
        """Options of the Java client, as Spark's ``kafka.*`` options without that prefix."""
        options = {
            "bootstrap.servers": self.servers,
            "security.protocol": self.security_protocol,
        }
        if self.security_protocol.startswith("SASL"):
            user, password = self._credentials()
            module = (
                "scram.ScramLoginModule"
                if "SCRAM" in self.sasl_mechanism
                else ("plain.PlainLoginModule")
            )
            quoted = [
                value.replace("\\", "\\\\").replace('"', '\\"')
                for value in (user, password.get_secret_value())
            ]
            options |= {
                "sasl.mechanism": self.sasl_mechanism,
                "sasl.jaas.config": f"org.apache.kafka.common.security.{module} required "
                f'username="{quoted[0]}" password="{quoted[1]}";',
            }
        return options

    def _credentials(self) -> tuple[str, SecretStr]:
        user, password = os.environ.get(KAFKA_USER), os.environ.get(KAFKA_PASSWORD)
        if not user or not password:
            raise SettingsError(
                f"security_protocol is {self.security_protocol} but the environment lacks "
                f"{KAFKA_USER} or {KAFKA_PASSWORD}; export both, or use PLAINTEXT or SSL."
            )
        return user, SecretStr(password)


class Stream(Section):
    """The streaming job."""

    source: Literal["kafka", "fink_science"] = "kafka"
    science_path: str | None = None
    topics: Pattern | None
    starting: Literal["earliest", "latest"]
    trigger_seconds: Annotated[float, Field(ge=0)]
    max_offsets_per_trigger: Count
    partitions: Count
    max_packet_bytes: Annotated[int, Field(ge=10_000)]
    metrics_port: Annotated[int, Field(ge=1, le=65535)] | None = None

    @model_validator(mode="after")
    def _has_a_path(self) -> Stream:
        if self.source == "fink_science" and not self.science_path:
            raise ValueError(
                "source fink_science needs science_path, the folder that holds a folder of science "
                "files for each night."
            )
        return self


class Registry(Section):
    """Where models live: any MLflow tracking URI; null keeps a SQLite file in `work_dir`."""

    tracking_uri: str | None
