"""Settings of the streaming job and of the registry of models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from fink_al.settings.kinds import Count, Pattern, Section, TopicName


class Stream(Section):
    """Settings of the streaming job.

    Without a `name` it is called after its survey, and topics that it does not name after it:
    ``fink_al_NAME_dead_letters`` and ``fink_al_NAME_ledger``.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] | None = None
    source: Literal["kafka", "fink_science"] = "kafka"
    science_path: str | None = None
    topics: Pattern | None
    dead_letter_topic: TopicName | None = None
    ledger_topic: TopicName | None = None
    starting: Literal["earliest", "latest"]
    trigger_seconds: Annotated[float, Field(ge=0)]
    max_offsets_per_trigger: Count
    partitions: Count
    max_packet_bytes: Annotated[int, Field(ge=10_000)]
    metrics_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    keep_replaced_hours: Annotated[int, Field(ge=1, le=120)] = 24

    @model_validator(mode="after")
    def _has_a_path(self) -> Stream:
        if self.source == "fink_science" and not self.science_path:
            raise ValueError(
                "source fink_science needs science_path, the folder that holds a folder of science "
                "files for each night."
            )
        return self


class Registry(Section):
    """Registry of models: any MLflow tracking URI; null is a SQLite file in `work_dir`."""

    tracking_uri: str | None
