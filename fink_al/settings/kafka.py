"""A Kafka cluster: address, encryption and login, as options of both clients.

The stream's alerts come through Spark's Java client, everything else through librdkafka. Their
options differ in names and in the form of files, so each client has a method that writes them.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from fink_al.errors import SettingsError
from fink_al.settings.kinds import Address, Section, Servers
from fink_al.settings.variables import (
    KAFKA_CLIENT_ID,
    KAFKA_CLIENT_SECRET,
    KAFKA_KEY_PASSWORD,
    KAFKA_PASSWORD,
    KAFKA_USER,
)

_CERTIFICATE = "-----BEGIN CERTIFICATE-----"
#: PKCS#8, the only form of a key that the Java client reads.
_KEY, _ENCRYPTED_KEY = "-----BEGIN PRIVATE KEY-----", "-----BEGIN ENCRYPTED PRIVATE KEY-----"
#: Name in DER of the encryption that openssl uses for keys by default.
_PBES2 = bytes.fromhex("06092a864886f70d01050d")

#: Options of either client that carry a credential.
_CREDENTIAL = re.compile(
    r"password|passphrase|secret|jaas|username|private\.key|ssl\.key\.pem|keystore\.key$"
    r"|oauthbearer\.client\.(id|credentials)|oauthbearer\.(assertion|config$)",
    re.IGNORECASE,
)
#: Options that a key of the settings replaces, and that key.
_KEYS = {
    r"bootstrap\.servers|metadata\.broker\.list": "servers",
    r"security\.protocol": "security_protocol",
    r"sasl\.mechanisms?": "sasl_mechanism",
    r"ssl\.ca\..*|ssl\.truststore\..*|https\.ca\..*": "ca_file",
    r"ssl\.certificate\..*|ssl\.keystore\..*": "certificate_file",
    r"ssl\.key\..*": "key_file",
    r"sasl\.oauthbearer\.(method|token\.endpoint\.url)|sasl\.login\..*handler.*": "token_url",
    r"sasl\.oauthbearer\.scope": "token_scope",
    r"sasl\.kerberos\.service\.name": "kerberos_service",
    r"sasl\.kerberos\.principal": "kerberos_principal",
    r"sasl\.kerberos\.keytab": "kerberos_keytab",
}
#: Options that exactly-once depends on, or that Spark refuses: a site must not set them.
_FIXED = re.compile(
    r"group\.id|transactional\.id|enable\.idempotence|isolation\.level|enable\.auto\.commit"
    r"|auto\.offset\.reset|enable\.partition\.eof|message\.max\.bytes|interceptor\.classes"
    r"|(key|value)\.(de)?serializer|config\.providers.*|.*_cb|logger"
)


def _file(path: Path, *begins: str, wanted: str) -> Path:
    try:
        text = path.read_text("ascii", "replace")
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
    if not any(begin in text for begin in begins):
        raise ValueError(f"{path} must hold {wanted}")
    return path.absolute()


def _certificates(path: Path) -> Path:
    return _file(path, _CERTIFICATE, wanted=f"certificates in PEM ({_CERTIFICATE})")


def _private_key(path: Path) -> Path:
    path = _file(
        path,
        _KEY,
        _ENCRYPTED_KEY,
        wanted=f"a private key in PKCS#8 ({_KEY}); openssl pkcs8 -topk8 converts others",
    )
    return _plain_path(path)


def _plain_path(path: Path) -> Path:
    if re.search("[:{}]", str(path)):  # the Java client gets it as ${directory:DIR:FILE}
        raise ValueError(f"the path {path} must not contain any of : {{ }}")
    return path


def _readable(path: Path) -> Path:
    return _file(path, "", wanted="anything")


def _text(value: Any) -> Any:
    """Return an option as text, as both clients need it; YAML reads 5 and true as other types."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _texts(options: Any) -> Any:
    if not isinstance(options, Mapping):
        return options
    return {str(name): _text(value) for name, value in options.items()}


def _allowed(options: dict[str, str]) -> dict[str, str]:
    for name in options:
        if _CREDENTIAL.search(name):
            raise ValueError(
                f"{name} carries a credential; these come from variables only: {KAFKA_USER}, "
                f"{KAFKA_PASSWORD}, {KAFKA_KEY_PASSWORD}, {KAFKA_CLIENT_ID}, {KAFKA_CLIENT_SECRET}"
            )
        for pattern, key in _KEYS.items():
            if re.fullmatch(pattern, name):
                raise ValueError(f"{name} must be set by the key {key}")
        if _FIXED.fullmatch(name):
            raise ValueError(f"{name} must be left out: it is fixed, as the ledger depends on it")
    return options


Certificates = Annotated[Path, AfterValidator(_certificates)]
Certificate = Annotated[Path, AfterValidator(_certificates), AfterValidator(_plain_path)]
PrivateKey = Annotated[Path, AfterValidator(_private_key)]
Keytab = Annotated[Path, AfterValidator(_readable)]
Options = Annotated[dict[str, str], BeforeValidator(_texts), AfterValidator(_allowed)]


class Kafka(Section):
    """A Kafka cluster. Secrets come from the environment.

    Parameters
    ----------
    servers : str
        Bootstrap servers, ``host:port`` with commas between them.
    security_protocol, sasl_mechanism : str
        TLS and authentication.
    ca_file : Path or None
        Authorities that may sign the certificates of brokers and of `token_url`, in PEM. None:
        the clients' defaults.
    certificate_file, key_file : Path or None
        The client's certificate, with its chain, and its key, for mutual TLS; may be one file.
    token_url, token_scope : str or None
        Address from which OAUTHBEARER fetches a token for the client's id and secret; its scope.
    kerberos_service, kerberos_principal, kerberos_keytab : str, str or None, Path or None
        For GSSAPI: the brokers' service name, and the client's principal and keytab.
    options, options_librdkafka, options_java : dict of str to str
        Further options of both clients, of librdkafka, and of the Java client.
    """

    servers: Servers
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal[
        "SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN", "OAUTHBEARER", "GSSAPI"
    ] = "SCRAM-SHA-512"  # fmt: skip
    ca_file: Certificates | None = None
    certificate_file: Certificate | None = None
    key_file: PrivateKey | None = None
    token_url: Address | None = None
    token_scope: str | None = None
    kerberos_service: str = "kafka"
    kerberos_principal: str | None = None
    kerberos_keytab: Keytab | None = None
    options: Options = Field(default_factory=dict)
    options_librdkafka: Options = Field(default_factory=dict)
    options_java: Options = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fit_together(self) -> Kafka:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError(
                "certificate_file and key_file go together: name both; one file may be both"
            )
        if (self.ca_file or self.certificate_file) and not self._has_tls and not self.token_url:
            raise ValueError(
                f"ca_file and certificate_file need TLS, but security_protocol is "
                f"{self.security_protocol}: choose SSL or SASL_SSL, or leave them out"
            )
        if self._uses("OAUTHBEARER") and not self.token_url:
            raise ValueError("OAUTHBEARER needs token_url, where tokens are fetched")
        if self._uses("GSSAPI") and not (self.kerberos_principal and self.kerberos_keytab):
            raise ValueError("GSSAPI needs kerberos_principal and kerberos_keytab")
        return self

    def client_options(self) -> dict[str, str]:
        """Return options of librdkafka (``confluent_kafka``), with credentials where needed.

        Raises
        ------
        SettingsError
            If the environment lacks one of them.
        """
        options = self._common()
        if self._has_tls and self.ca_file:
            options["ssl.ca.location"] = str(self.ca_file)
        if self._has_tls and self.certificate_file:
            options["ssl.certificate.location"] = str(self.certificate_file)
            options["ssl.key.location"] = str(self.key_file)
        if self._uses("OAUTHBEARER"):
            client, secret = self._credentials(KAFKA_CLIENT_ID, KAFKA_CLIENT_SECRET)
            options |= {
                "sasl.oauthbearer.method": "oidc",
                "sasl.oauthbearer.token.endpoint.url": str(self.token_url),
                "sasl.oauthbearer.client.id": client,
                "sasl.oauthbearer.client.secret": secret,
            }
            if self.token_scope:
                options["sasl.oauthbearer.scope"] = self.token_scope
            if self.ca_file:
                options["https.ca.location"] = str(self.ca_file)
        elif self._uses("GSSAPI"):
            options |= {
                "sasl.kerberos.principal": str(self.kerberos_principal),
                "sasl.kerberos.keytab": str(self.kerberos_keytab),
            }
        elif self._has_sasl:
            user, password = self._credentials(KAFKA_USER, KAFKA_PASSWORD)
            options |= {"sasl.username": user, "sasl.password": password}
        return options | self.options_librdkafka

    def java_options(self) -> dict[str, str]:
        """Return options of the Java client, Spark's ``kafka.*`` options without that prefix.

        Spark shows options in plans and logs, except those that look like a password. A key does
        not look like one, so each JVM reads it from its file.

        Raises
        ------
        SettingsError
            If the environment lacks a credential.
        """
        options = self._common()
        if self._has_tls and self.ca_file:
            options |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": str(self.ca_file)}
        if self._has_tls and self.certificate_file:
            if _PBES2 in _bytes(self.key_file):
                raise SettingsError(
                    f"{self.key_file} is encrypted by PBES2, which the Java client cannot read; "
                    "convert it with openssl pkcs8 -topk8 -v1 PBE-SHA1-3DES, or leave it plain."
                )
            provider = "org.apache.kafka.common.config.provider.DirectoryConfigProvider"
            options |= {
                "config.providers": "directory",
                "config.providers.directory.class": provider,
                "ssl.keystore.type": "PEM",
                "ssl.keystore.certificate.chain": _from_file(self.certificate_file),
                "ssl.keystore.key": _from_file(self.key_file),
            }
        if self._has_sasl:
            options["sasl.jaas.config"] = self._jaas()
        if self._uses("OAUTHBEARER"):
            handler = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler"
            options |= {
                "sasl.oauthbearer.token.endpoint.url": str(self.token_url),
                "sasl.login.callback.handler.class": handler,
            }
        return options | self.options_java

    @property
    def _has_tls(self) -> bool:
        return self.security_protocol in ("SSL", "SASL_SSL")

    @property
    def _has_sasl(self) -> bool:
        return self.security_protocol.startswith("SASL")

    def _uses(self, mechanism: str) -> bool:
        return self._has_sasl and self.sasl_mechanism == mechanism

    def _common(self) -> dict[str, str]:
        """Return options that have the same name in both clients."""
        options = {
            "bootstrap.servers": self.servers,
            "security.protocol": self.security_protocol,
        }
        if self._has_sasl:
            options["sasl.mechanism"] = self.sasl_mechanism
        if self._uses("GSSAPI"):
            options["sasl.kerberos.service.name"] = self.kerberos_service
        if (
            self._has_tls
            and self.key_file
            and _ENCRYPTED_KEY in self.key_file.read_text("ascii", "replace")
        ):
            password = os.environ.get(KAFKA_KEY_PASSWORD)
            if not password:
                raise SettingsError(
                    f"{self.key_file} is encrypted but the environment lacks {KAFKA_KEY_PASSWORD}."
                )
            options["ssl.key.password"] = password
        return options | self.options

    def _jaas(self) -> str:
        """Return the Java client's login line, for the module of the mechanism."""
        if self.sasl_mechanism == "GSSAPI":
            return _login(
                "com.sun.security.auth.module.Krb5LoginModule",
                useKeyTab="true",
                storeKey="true",
                keyTab=str(self.kerberos_keytab),
                principal=str(self.kerberos_principal),
            )
        package = "org.apache.kafka.common.security"
        if self.sasl_mechanism == "OAUTHBEARER":
            client, secret = self._credentials(KAFKA_CLIENT_ID, KAFKA_CLIENT_SECRET)
            # Spark's debug log hides a login only from the word password on, so that comes first.
            values = {"password": "none", "clientId": client, "clientSecret": secret}
            if self.token_scope:
                values["scope"] = self.token_scope
            if self.ca_file:  # for the token address, which has its own trust store
                values |= {
                    "ssl.truststore.type": "PEM",
                    "ssl.truststore.location": str(self.ca_file),
                }
            return _login(f"{package}.oauthbearer.OAuthBearerLoginModule", **values)
        user, password = self._credentials(KAFKA_USER, KAFKA_PASSWORD)
        scram = self.sasl_mechanism != "PLAIN"
        module = "scram.ScramLoginModule" if scram else "plain.PlainLoginModule"
        return _login(f"{package}.{module}", username=user, password=password)

    def _credentials(self, user: str, password: str) -> tuple[str, str]:
        """Return the values of two variables of the environment."""
        values = os.environ.get(user, ""), os.environ.get(password, "")
        if not all(values):
            raise SettingsError(
                f"security_protocol is {self.security_protocol} but the environment lacks "
                f"{user} or {password}; export both, or use PLAINTEXT or SSL."
            )
        return values


def _bytes(key: Path | None) -> bytes:
    """Decode the private key of a PEM file, without other parts of the file."""
    assert key is not None
    block = re.search(
        r"BEGIN [A-Z ]*PRIVATE KEY-----([^-]*)-----END", key.read_text("ascii", "replace")
    )
    return base64.b64decode(block[1]) if block else b""


def _login(module: str, **values: str) -> str:
    """Return a login line in Java's JAAS form."""
    options = (
        '{}="{}"'.format(name, value.replace("\\", "\\\\").replace('"', '\\"'))
        for name, value in values.items()
    )
    return f"{module} required {' '.join(options)};"


def _from_file(path: Path | None) -> str:
    """Return a reference that the Java client replaces by the file's text."""
    assert path is not None
    return f"${{directory:{path.parent}:{path.name}}}"
