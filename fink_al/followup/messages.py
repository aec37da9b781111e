"""The public record of a candidate: its schema and its encoding.

Fink's client decodes a message with the schema in the message's key, so key and value are enough
to read a candidate without this package. ``docs/messages.md`` explains every field.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import fastavro

from fink_al.alerts import Adapter
from fink_al.features.feature_set import FeatureSet

#: The first part rises if a field is removed or changes its meaning, the second if one is added.
MESSAGE_VERSION = "1.3"

_WORDS = {"type": "array", "items": "string"}

#: Fields that do not depend on survey or feature set: name, Avro type, description.
_FIELDS: list[tuple[str, Any, str]] = [
    ("schema_version", "string", "version of this record"),
    ("target", "string", "what is looked for"),
    ("survey", "string", "survey that sent the alert"),
    ("object_id", "string", "the survey's name of the object"),
    ("alert_id", "long", "the survey's number of the alert"),
    ("mjd", "double", "time of the alert [MJD in the survey's scale]"),
    ("night", "int", "night of the alert, UT date on which it begins [YYYYMMDD]"),
    ("list", "int", "list of which the alert was drawn, UT date on which it begins [YYYYMMDD]"),
    ("ra", "double", "right ascension, J2000 [deg]"),
    ("dec", "double", "declination, J2000 [deg]"),
    ("band", "string", "band of the alert"),
    ("mag", "double", "difference magnitude, AB"),
    ("mag_err", "double", "its 1 sigma error"),
    ("is_positive", "boolean", "brighter than the template"),
    ("real_bogus", "double", "real/bogus score, 1 is real"),
    ("deep_real_bogus", "double", "real/bogus score of a deep network"),
    ("n_bad_pixels", "double", "bad pixels in the stamp"),
    ("classtar", "double", "star/galaxy score of the detection, 1 is point-like"),
    ("star_score", "double", "star/galaxy score of the nearest catalogued source, 1 is a star"),
    ("star_distance_arcsec", "double", "distance to that source [arcsec]"),
    ("asteroid_distance_arcsec", "double", "distance to the nearest known asteroid [arcsec]"),
    ("is_known_asteroid", "boolean", "attributed to a known solar-system object"),
    ("n_detections", "double", "detections at this position so far"),
    ("first_detection_mjd", "double", "earliest detection by the survey's word [MJD, as mjd]"),
    ("host_class", "string", "catalogue class at this position, where the broker gave one"),
    ("p", "double", "probability of the target's class; null without a model"),
    ("p_reason", "string", "why p is null"),
    ("informativeness", "double", "score of the query strategy, 1 teaches most"),
    ("pi", "double", "weight of the draw, 1 on average"),
    ("u", "double", "random number of object and list, on [0, 1)"),
    ("priority", "double", "u / pi: a list is ranked by it, the smallest first"),
    ("t", "double", "threshold below which priorities were published"),
    ("strategy", "string", "query strategy that chose the alert"),
    ("strategy_parameters", "string", "exponent, uniform_share and mean of the draw, JSON"),
    ("tags", _WORDS, "what the host cut rests on, and the target's flags"),
    ("model_version", "string", "version of the model that scored"),
    ("feature_set_hash", "string", "identity of features and their parameters"),
    ("topic", "string", "Kafka topic of the alert"),
    ("partition", "int", "its partition"),
    ("offset", "long", "its offset"),
    ("processed", "string", "when it was scored, UTC, ISO 8601"),
]
_REQUIRED = {"schema_version", "target", "survey", "object_id", "alert_id", "mjd", "night", "tags"}


class CandidateWriter:
    """Encodes candidates of one target.

    Parameters
    ----------
    alerts : Adapter
        The survey's adapter, which defines the light-curve fields.
    features : FeatureSet
        Features of the target, one field each.
    """

    def __init__(self, alerts: Adapter, features: FeatureSet):
        fields = [
            {"name": name, "type": kind if name in _REQUIRED else ["null", kind], "doc": doc}
            for name, kind, doc in _FIELDS
        ]
        for name in (*features.names, *features.reason_names):
            kind = "string" if name in features.reason_names else "double"
            fields.append({"name": name, "type": ["null", kind], "doc": "feature set"})
        for name, (kind, doc) in alerts.MESSAGE_LIGHT_CURVE.items():
            items = {"type": "array", "items": ["null", kind]}
            fields.append({"name": name, "type": items, "doc": doc})
        fields += alerts.BROKER_FIELDS
        self._alerts = alerts
        self.schema: dict[str, Any] = {
            "type": "record",
            "name": "candidate",
            "namespace": "fink_al",
            "doc": f"fink-al candidate {MESSAGE_VERSION}",
            "fields": fields,
        }
        self.key = json.dumps(self.schema).encode()
        self._parsed = fastavro.parse_schema(json.loads(self.key))

    def write(self, alert: Mapping[str, Any]) -> bytes:
        """Encode one scored `alert` of the archive as schemaless Avro."""
        record = {
            **alert,
            "schema_version": MESSAGE_VERSION,
            "processed": f"{alert['processed']:%Y-%m-%dT%H:%M:%S.%fZ}",
            **self._alerts.broker_values(alert),
        }
        out = io.BytesIO()
        fastavro.schemaless_writer(out, self._parsed, record)
        return out.getvalue()
