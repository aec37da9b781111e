"""Frozen, typed settings: YAML files, then environment variables; an unknown key is an error.

``conf/fink_al.yml`` explains every key on its line. A key ``stream.trigger_seconds`` is overridden
by the variable ``FINK_AL_STREAM__TRIGGER_SECONDS``. Credentials are read from the environment only.
"""

from fink_al.settings.cuts import Condition, Cut
from fink_al.settings.features import FeatureSettings
from fink_al.settings.installation import Settings
from fink_al.settings.kafka import Kafka
from fink_al.settings.layers import load_settings
from fink_al.settings.requests import (
    AnyRequests,
    AocsRequests,
    FileRequests,
    OcsRequests,
    TopicRequests,
)
from fink_al.settings.resources import find_resource, find_setting, read_yaml
from fink_al.settings.services import Registry, Stream
from fink_al.settings.survey import MJD_EPOCH, SchemaSource, Site, Survey, load_survey, survey_names
from fink_al.settings.target import (
    DrawSettings,
    Exposure,
    FollowUp,
    ModelSettings,
    PriorSettings,
    PromotionSettings,
    StreamMix,
    Target,
)
from fink_al.settings.telescope import (
    DEFAULT_TELESCOPE,
    Limits,
    Overheads,
    Spectrum,
    Telescope,
    load_telescope,
    telescope_names,
)
from fink_al.settings.variables import (
    KAFKA_CLIENT_ID,
    KAFKA_CLIENT_SECRET,
    KAFKA_KEY_PASSWORD,
    KAFKA_PASSWORD,
    KAFKA_USER,
    REGISTRY_PASSWORD,
    REGISTRY_USER,
    TNS_API_KEY,
    TNS_USER_AGENT,
)

__all__ = [
    "DEFAULT_TELESCOPE",
    "KAFKA_CLIENT_ID",
    "KAFKA_CLIENT_SECRET",
    "KAFKA_KEY_PASSWORD",
    "KAFKA_PASSWORD",
    "KAFKA_USER",
    "MJD_EPOCH",
    "REGISTRY_PASSWORD",
    "REGISTRY_USER",
    "TNS_API_KEY",
    "TNS_USER_AGENT",
    "AnyRequests",
    "AocsRequests",
    "Condition",
    "Cut",
    "DrawSettings",
    "Exposure",
    "FeatureSettings",
    "FileRequests",
    "FollowUp",
    "Kafka",
    "Limits",
    "ModelSettings",
    "OcsRequests",
    "Overheads",
    "PriorSettings",
    "PromotionSettings",
    "Registry",
    "SchemaSource",
    "Settings",
    "Site",
    "Spectrum",
    "Stream",
    "StreamMix",
    "Survey",
    "Target",
    "Telescope",
    "TopicRequests",
    "find_resource",
    "find_setting",
    "load_settings",
    "load_survey",
    "load_telescope",
    "read_yaml",
    "survey_names",
    "telescope_names",
]
