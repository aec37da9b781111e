"""A broker that asks who is there in three ways, and settings for each of them."""

import os
from pathlib import Path
from typing import Any

from certificates import Authority
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from token_server import TokenServer

from fink_al.demo.embedded_kafka import EmbeddedKafka
from fink_al.settings import (
    KAFKA_CLIENT_ID,
    KAFKA_CLIENT_SECRET,
    KAFKA_KEY_PASSWORD,
    KAFKA_PASSWORD,
    KAFKA_USER,
    Kafka,
)

#: Whatever must not be seen anywhere.
SECRETS = {
    KAFKA_USER: "observer",
    KAFKA_PASSWORD: 'pa"ss\\word of SCRAM',
    KAFKA_CLIENT_ID: "fink-al-client",
    KAFKA_CLIENT_SECRET: "oauth-s3cret",
    KAFKA_KEY_PASSWORD: "key-pa55phrase",
}
_LISTENERS = {"SCRAM": "SASL_SSL", "MUTUAL": "SSL", "OAUTH": "SASL_SSL"}
_ALLOWED_URLS = "org.apache.kafka.sasl.oauthbearer.allowed.urls"
_OAUTH = "org.apache.kafka.common.security.oauthbearer"


class SecureKafka:
    """Broker with certificates for the host ``localhost`` of an authority of its own."""

    def __init__(self, folder: Path):
        self.authority = Authority(folder, "authority")
        self._client = self.authority.sign("client")
        self._encrypted = self.authority.sign("encrypted", password=SECRETS[KAFKA_KEY_PASSWORD])
        certificate, key = self.authority.sign("broker", ("localhost",))
        both = folder / "broker.pem"
        both.write_bytes(key.read_bytes() + certificate.read_bytes())
        self._tokens = TokenServer(
            certificate, key, SECRETS[KAFKA_CLIENT_ID], SECRETS[KAFKA_CLIENT_SECRET]
        )
        keys = folder / "keys.json"
        keys.write_text(self._tokens.keys, "utf-8")
        oauth = "listener.name.oauth.oauthbearer"
        properties = {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": both,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self.authority.file,
            "sasl.enabled.mechanisms": "SCRAM-SHA-512,OAUTHBEARER",
            "listener.name.scram.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.scram.scram-sha-512.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
            "listener.name.mutual.ssl.client.auth": "required",
            "listener.name.oauth.sasl.enabled.mechanisms": "OAUTHBEARER",
            f"{oauth}.sasl.jaas.config": f"{_OAUTH}.OAuthBearerLoginModule required;",
            f"{oauth}.sasl.server.callback.handler.class": (
                f"{_OAUTH}.OAuthBearerValidatorCallbackHandler"
            ),
            f"{oauth}.sasl.oauthbearer.jwks.endpoint.url": keys.as_uri(),
        }
        self._broker = EmbeddedKafka(folder / "kafka", properties, _LISTENERS)
        before = os.environ.get("JDK_JAVA_OPTIONS")
        os.environ["JDK_JAVA_OPTIONS"] = f"-D{_ALLOWED_URLS}={keys.as_uri()}"
        try:
            self._broker.start()
        finally:
            del os.environ["JDK_JAVA_OPTIONS"]
            if before is not None:
                os.environ["JDK_JAVA_OPTIONS"] = before
        user = UserScramCredentialUpsertion(
            SECRETS[KAFKA_USER],
            ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096),
            SECRETS[KAFKA_PASSWORD].encode(),
        )
        admin = AdminClient({"bootstrap.servers": self._broker.servers})
        for done in admin.alter_user_scram_credentials([user]).values():
            done.result(30)

    @property
    def plain(self) -> Kafka:
        """The listener that asks nobody."""
        return Kafka(servers=self._broker.servers)

    def scram(self, **changes: Any) -> Kafka:
        """SCRAM over TLS."""
        return self._secured("SCRAM", {}, changes)

    def mutual(self, **changes: Any) -> Kafka:
        """Mutual TLS."""
        files = {"certificate_file": self._client[0], "key_file": self._client[1]}
        return self._secured("MUTUAL", files, changes)

    def mutual_encrypted(self) -> Kafka:
        """Mutual TLS with a key that a password protects."""
        return self.mutual(certificate_file=self._encrypted[0], key_file=self._encrypted[1])

    def oauth(self, **changes: Any) -> Kafka:
        """OAUTHBEARER over TLS, with tokens from a server of the same authority."""
        tokens = {"token_url": self._tokens.url, "token_scope": "alerts"}
        return self._secured("OAUTH", tokens | {"sasl_mechanism": "OAUTHBEARER"}, changes)

    def _secured(self, listener: str, values: dict[str, Any], changes: dict[str, Any]) -> Kafka:
        all_values = {
            "servers": self._broker.address(listener),
            "security_protocol": _LISTENERS[listener],
            "ca_file": self.authority.file,
        }
        return Kafka(**all_values | values | changes)

    def close(self) -> None:
        self._broker.stop()
        self._tokens.close()
