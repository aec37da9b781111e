"""A wrong setting is one clear sentence, before anything starts."""

import pytest

from fink_al.errors import SettingsError
from fink_al.settings import load_settings


def test_the_files_of_the_project_are_valid():
    settings = load_settings()
    assert settings.target.name == "early_snia"
    assert settings.survey.bands == ("g", "r", "i")
    assert settings.topics == settings.survey.topics


def test_the_environment_overrides_the_files(monkeypatch):
    monkeypatch.setenv("FINK_AL_STREAM__TRIGGER_SECONDS", "7.5")
    monkeypatch.setenv("FINK_AL_SOURCE__SERVERS", "broker:9092")
    settings = load_settings()
    assert (settings.stream.trigger_seconds, settings.source.servers) == (7.5, "broker:9092")
    assert settings.sink.servers == "localhost:9092"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"strem": {}}, "strem"),
        ({"stream": {"trigger": 1}}, "stream.trigger"),
        (
            {"stream": {"partitions": 0}},
            r"stream.partitions: .*greater than or equal to 1.*found 0",
        ),
        ({"target": "late_snia"}, "No target 'late_snia'; known: early_snia"),
        ({"source": {"security_protocol": "TLS"}}, "source.security_protocol.*'PLAINTEXT'"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(overrides, message):
    with pytest.raises(SettingsError, match=message) as error:
        load_settings(**overrides)
    assert "\n" not in str(error.value)


def test_variables_that_are_no_settings_are_left_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("FINK_AL_IVY_SETTINGS", str(tmp_path / "ivy.xml"))
    monkeypatch.setenv("FINK_AL_CACHE", str(tmp_path))
    assert load_settings().target.name == "early_snia"


def test_a_variable_that_overrides_nothing_is_an_error(monkeypatch):
    monkeypatch.setenv("FINK_AL_STREEM__PARTITIONS", "2")
    with pytest.raises(SettingsError, match="FINK_AL_STREEM__PARTITIONS overrides no setting"):
        load_settings()


def test_credentials_come_from_the_environment_only(monkeypatch):
    settings = load_settings(source={"security_protocol": "SASL_SSL"})
    with pytest.raises(SettingsError, match="FINK_AL_KAFKA_USERNAME or FINK_AL_KAFKA_PASSWORD"):
        settings.source.client_options()
    monkeypatch.setenv("FINK_AL_KAFKA_USERNAME", "me")
    monkeypatch.setenv("FINK_AL_KAFKA_PASSWORD", 'a"b\\c')
    assert settings.source.client_options()["sasl.password"] == 'a"b\\c'
    assert 'password="a\\"b\\\\c"' in settings.source.java_options()["sasl.jaas.config"]
    assert "a" not in repr(settings.source).split("servers")[0].replace("Kafka", "")


def test_a_file_that_is_no_yaml_is_named(tmp_path):
    file = tmp_path / "broken.yml"
    file.write_text("stream: [", "utf-8")
    with pytest.raises(SettingsError, match=r"broken\.yml is no valid YAML"):
        load_settings(file)


def test_a_night_is_the_date_on_which_it_begins():
    survey = load_settings().survey
    assert (survey.night_of(61050.0), survey.night_of(61050.999)) == (20260110, 20260110)
    chile = survey.model_copy(update={"day_start": 0.7})
    assert (chile.night_of(61050.69), chile.night_of(61050.71)) == (20260109, 20260110)
