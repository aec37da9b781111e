"""Names of environment variables that do not override a key of a settings file."""

from __future__ import annotations

#: Kafka options that carry a secret come from these variables only.
KAFKA_USER, KAFKA_PASSWORD = "FINK_AL_KAFKA_USERNAME", "FINK_AL_KAFKA_PASSWORD"
#: Id and secret of an OAUTHBEARER client, and the password of an encrypted key for mutual TLS.
_KAFKA = "FINK_AL_KAFKA"
KAFKA_CLIENT_ID, KAFKA_CLIENT_SECRET = f"{_KAFKA}_CLIENT_ID", f"{_KAFKA}_CLIENT_SECRET"
KAFKA_KEY_PASSWORD = f"{_KAFKA}_KEY_PASSWORD"
#: User and password of a schema registry that requires them.
_REGISTRY = "FINK_AL_SCHEMA_REGISTRY"
REGISTRY_USER, REGISTRY_PASSWORD = f"{_REGISTRY}_USERNAME", f"{_REGISTRY}_PASSWORD"
#: A bot of TNS must send its key, and a marker as user agent.
TNS_API_KEY, TNS_USER_AGENT = "FINK_AL_TNS_API_KEY", "FINK_AL_TNS_USER_AGENT"

#: User and password, or token, of the telescope NAME are in variables that begin so: they end with
#: ``NAME_USERNAME``, ``NAME_PASSWORD`` and ``NAME_TOKEN``, the name in capitals.
TELESCOPE = "FINK_AL_TELESCOPE_"

#: All other variables with this prefix override a key.
PREFIX = "FINK_AL_"
#: Variables that are read elsewhere and override no key.
NO_KEYS = {
    "FINK_AL_CONFIG", "FINK_AL_CACHE", "FINK_AL_IVY_SETTINGS",
    KAFKA_USER, KAFKA_PASSWORD, KAFKA_KEY_PASSWORD, KAFKA_CLIENT_ID, KAFKA_CLIENT_SECRET,
    REGISTRY_USER, REGISTRY_PASSWORD, TNS_API_KEY, TNS_USER_AGENT,
}  # fmt: skip
