"""Settings of a secured Kafka: what each client is told, and what is refused before any starts."""

import shutil
import subprocess

import pytest
from certificates import Authority

from fink_al.errors import SettingsError
from fink_al.settings import Kafka, load_settings

_SASL = "org.apache.kafka.common.security"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Authority, certificate, key, encrypted key and a file of something else."""
    folder = tmp_path_factory.mktemp("pem")
    authority = Authority(folder, "authority")
    certificate, key = authority.sign("client")
    _, encrypted = authority.sign("other", password="pa55phrase")
    (folder / "else").write_text("-----BEGIN RSA PRIVATE KEY-----\n", "utf-8")
    colon = folder / "a:b"
    colon.write_bytes(certificate.read_bytes())
    return {
        "ca": authority.file,
        "certificate": certificate,
        "key": key,
        "encrypted": encrypted,
        "else": folder / "else",
        "colon": colon,
        "absent": folder / "absent",
    }


def test_mutual_tls_in_the_words_of_both_clients(files):
    kafka = Kafka(
        servers="a:1",
        security_protocol="SSL",
        ca_file=files["ca"],
        certificate_file=files["certificate"],
        key_file=files["key"],
        options={"client.id": "x", "reconnect.backoff.ms": 50},
        options_librdkafka={"socket.keepalive.enable": True},
        options_java={"fetch.max.wait.ms": 5},
    )
    common = {
        "bootstrap.servers": "a:1",
        "security.protocol": "SSL",
        "client.id": "x",
        "reconnect.backoff.ms": "50",
    }
    assert kafka.client_options() == common | {
        "ssl.ca.location": str(files["ca"]),
        "ssl.certificate.location": str(files["certificate"]),
        "ssl.key.location": str(files["key"]),
        "socket.keepalive.enable": "true",
    }
    folder = files["key"].parent
    assert kafka.java_options() == common | {
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(files["ca"]),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.certificate.chain": f"${{directory:{folder}:client.crt}}",
        "ssl.keystore.key": f"${{directory:{folder}:client.key}}",
        "config.providers": "directory",
        "config.providers.directory.class": (
            "org.apache.kafka.common.config.provider.DirectoryConfigProvider"
        ),
        "fetch.max.wait.ms": "5",
    }


def test_an_encrypted_key_needs_its_password(files, monkeypatch):
    kafka = Kafka(
        servers="a:1",
        security_protocol="SSL",
        certificate_file=files["certificate"],
        key_file=files["encrypted"],
    )
    for options in (kafka.client_options, kafka.java_options):
        with pytest.raises(
            SettingsError, match=r"is encrypted .* lacks FINK_AL_KAFKA_KEY_PASSWORD"
        ):
            options()
    monkeypatch.setenv("FINK_AL_KAFKA_KEY_PASSWORD", "pa55phrase")
    assert kafka.client_options()["ssl.key.password"] == "pa55phrase"
    with pytest.raises(SettingsError, match=r"other\.key is encrypted by PBES2, .*PBE-SHA1-3DES"):
        kafka.java_options()


def test_java_is_given_the_password_of_a_key_that_it_can_decrypt(files, monkeypatch, tmp_path):
    monkeypatch.setenv("FINK_AL_KAFKA_KEY_PASSWORD", "pa55phrase")
    encrypted = tmp_path / "client.key"
    command = ["openssl", "pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES", "-in", files["key"]]
    if not shutil.which("openssl"):
        pytest.skip("no openssl on this machine")
    subprocess.run([*command, "-out", encrypted, "-passout", "pass:pa55phrase"], check=True)
    kafka = Kafka(
        servers="a:1",
        security_protocol="SSL",
        certificate_file=files["certificate"],
        key_file=encrypted,
    )
    assert kafka.java_options()["ssl.key.password"] == "pa55phrase"


def test_oauth_in_the_words_of_both_clients(files, monkeypatch):
    kafka = Kafka(
        servers="a:1",
        security_protocol="SASL_SSL",
        sasl_mechanism="OAUTHBEARER",
        token_url="https://b/token",
        token_scope="alerts",
        ca_file=files["ca"],
    )
    wanted = "FINK_AL_KAFKA_CLIENT_ID or FINK_AL_KAFKA_CLIENT_SECRET"
    for options in (kafka.client_options, kafka.java_options):
        with pytest.raises(SettingsError, match=wanted):
            options()
    monkeypatch.setenv("FINK_AL_KAFKA_CLIENT_ID", "me")
    monkeypatch.setenv("FINK_AL_KAFKA_CLIENT_SECRET", 's"3')
    common = {
        "bootstrap.servers": "a:1",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "OAUTHBEARER",
        "sasl.oauthbearer.token.endpoint.url": "https://b/token",
    }
    assert kafka.client_options() == common | {
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.client.id": "me",
        "sasl.oauthbearer.client.secret": 's"3',
        "sasl.oauthbearer.scope": "alerts",
        "ssl.ca.location": str(files["ca"]),
        "https.ca.location": str(files["ca"]),
    }
    assert kafka.java_options() == common | {
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(files["ca"]),
        "sasl.login.callback.handler.class": f"{_SASL}.oauthbearer.OAuthBearerLoginCallbackHandler",
        "sasl.jaas.config": (
            f'{_SASL}.oauthbearer.OAuthBearerLoginModule required password="none" clientId="me" '
            f'clientSecret="s\\"3" scope="alerts" ssl.truststore.type="PEM" '
            f'ssl.truststore.location="{files["ca"]}";'
        ),
    }


def test_kerberos_in_the_words_of_both_clients(files):
    kafka = Kafka(
        servers="a:1",
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="GSSAPI",
        kerberos_service="broker",
        kerberos_principal="fink/host@SITE",
        kerberos_keytab=files["key"],
    )
    common = {
        "bootstrap.servers": "a:1",
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "GSSAPI",
        "sasl.kerberos.service.name": "broker",
    }
    assert kafka.client_options() == common | {
        "sasl.kerberos.principal": "fink/host@SITE",
        "sasl.kerberos.keytab": str(files["key"]),
    }
    assert kafka.java_options() == common | {
        "sasl.jaas.config": (
            'com.sun.security.auth.module.Krb5LoginModule required useKeyTab="true" '
            f'storeKey="true" keyTab="{files["key"]}" principal="fink/host@SITE";'
        ),
    }


_TLS = {"security_protocol": "SSL"}
_SECRET = "carries a credential; these come from variables only: FINK_AL_KAFKA_USERNAME, "


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (_TLS | {"ca_file": "{absent}"}, "source.ca_file: cannot read {absent}: No such file"),
        (_TLS | {"ca_file": "{key}"}, r"source.ca_file: {key} must hold certificates in PEM"),
        (
            _TLS | {"certificate_file": "{certificate}", "key_file": "{else}"},
            "source.key_file: {else} must hold a private key in PKCS#8 .*openssl pkcs8 -topk8",
        ),
        (_TLS | {"certificate_file": "{colon}"}, "source.certificate_file: the path {colon} must"),
        (_TLS | {"certificate_file": "{certificate}"}, "source: .*key_file go together: name both"),
        ({"ca_file": "{ca}"}, "need TLS, but security_protocol is PLAINTEXT: choose SSL or"),
        (
            {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER"},
            "source: OAUTHBEARER needs token_url",
        ),
        (
            {"security_protocol": "SASL_SSL", "sasl_mechanism": "GSSAPI"},
            "source: GSSAPI needs kerberos_principal and kerberos_keytab",
        ),
        ({"kerberos_keytab": "{absent}"}, "source.kerberos_keytab: cannot read {absent}"),
        ({"token_url": "https://me:s3cret@b"}, "source.token_url: leave only scheme, host"),
        ({"sasl_mechanism": "PLANE"}, "'SCRAM-SHA-256', 'PLAIN', 'OAUTHBEARER' or 'GSSAPI'"),
        ({"options": {"sasl.password": "s3cret"}}, f"source.options: sasl.password {_SECRET}"),
        ({"options": {"SASL.Password": "s3cret"}}, f"source.options: SASL.Password {_SECRET}"),
        (
            {"options": {"sasl.oauthbearer.config": "s3cret"}},
            f"source.options: sasl.oauthbearer.config {_SECRET}",
        ),
        ({"options": "sasl.password=s3cret"}, "source.options: Input should be a valid dictionary"),
        ({"options_java": {"sasl.jaas.config": "s3cret"}}, f"sasl.jaas.config {_SECRET}"),
        ({"options_java": {"ssl.keystore.key": "s3cret"}}, f"ssl.keystore.key {_SECRET}"),
        ({"options_java": {"ssl.key.password": "s3cret"}}, f"ssl.key.password {_SECRET}"),
        ({"options_librdkafka": {"ssl.key.pem": "s3cret"}}, f"ssl.key.pem {_SECRET}"),
        (
            {"options_librdkafka": {"sasl.oauthbearer.client.secret": "s3cret"}},
            f"source.options_librdkafka: sasl.oauthbearer.client.secret {_SECRET}",
        ),
        ({"options": {"bootstrap.servers": "b:1"}}, "bootstrap.servers must be set by the key"),
        (
            {"options_java": {"ssl.truststore.location": "b"}},
            "ssl.truststore.location must be set by the key ca_file",
        ),
        ({"options": {"isolation.level": "read_uncommitted"}}, "isolation.level must be left out"),
        ({"options": {"client.rack": ["a"]}}, "source.options.client.rack: Input should be"),
    ],
)  # fmt: skip
def test_what_cannot_work_or_is_secret_is_refused_in_one_sentence(files, values, message):
    def filled(value):
        for name, file in files.items():
            value = value.replace(f"{{{name}}}", str(file)) if isinstance(value, str) else value
        return value

    with pytest.raises(SettingsError, match=filled(message)) as error:
        load_settings(source={key: filled(value) for key, value in values.items()})
    assert "s3cret" not in str(error.value)
    assert "\n" not in str(error.value)


def test_variables_reach_all_of_it(files, monkeypatch):
    monkeypatch.setenv("FINK_AL_SINK__SECURITY_PROTOCOL", "SSL")
    monkeypatch.setenv("FINK_AL_SINK__CA_FILE", str(files["ca"]))
    monkeypatch.setenv("FINK_AL_SINK__OPTIONS", '{"client.id": "x", "retry.backoff.ms": 7}')
    for name in ("KEY_PASSWORD", "CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.setenv(f"FINK_AL_KAFKA_{name}", "s3cret")
    settings = load_settings()
    assert settings.sink.ca_file == files["ca"]
    assert settings.sink.options == {"client.id": "x", "retry.backoff.ms": "7"}
    assert "s3cret" not in repr(settings)
    monkeypatch.setenv("FINK_AL_SINK__CA_FILE", str(files["absent"]))
    with pytest.raises(
        SettingsError, match=f"^FINK_AL_SINK__CA_FILE: cannot read {files['absent']}"
    ):
        load_settings()
