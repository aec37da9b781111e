"""A wrong setting is one clear sentence, before anything starts."""

import pytest
import yaml

from fink_al.errors import SettingsError
from fink_al.settings import Cut, DrawSettings, find_resource, load_settings


def test_the_files_of_the_project_are_valid():
    settings = load_settings()
    assert settings.target.name == "early_snia"
    assert settings.survey.bands == ("g", "r", "i")
    assert settings.topics == settings.survey.topics


@pytest.mark.parametrize(
    ("target", "draw"),
    [("early_snia", DrawSettings()), ("early_snia_lsst", DrawSettings(exponent=1.0))],
)
def test_each_target_of_the_project_draws_as_was_measured(monkeypatch, target, draw):
    monkeypatch.setenv("FINK_AL_TARGET", target)
    assert load_settings().target.draw == draw


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
        (
            {"target": "late_snia"},
            "No target 'late_snia'; known: anomaly, anomaly_lsst, early_snia",
        ),
        ({"source": {"security_protocol": "TLS"}}, "source.security_protocol.*'PLAINTEXT'"),
        (
            {"target": {"model": {"learning_rate": 0.1}}},
            "target.model.learning_rate: no such key; target.model has: .*prior",
        ),
        (
            {"target": {"model": {"boosting": {"learning_rate": 0.1}}}},
            r"target.model: remove boosting: gradient_boosting was removed in 0\.2: choose",
        ),
        (
            {"target": {"model": {"estimator": "gradient_boosting"}}},
            r"target.model.estimator: gradient_boosting was removed in 0\.2: choose "
            "informed_forest or random_forest",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(overrides, message):
    with pytest.raises(SettingsError, match=message) as error:
        load_settings(**overrides)
    assert "\n" not in str(error.value)


_TARGETS = find_resource("conf/targets")
_WRONG = {
    "STREAM__TRIGGER": (
        "1",
        "no such key; stream has: name, source, science_path, topics, dead_letter_topic, "
        "ledger_topic, starting, trigger_seconds, max_offsets_per_trigger, partitions, "
        "max_packet_bytes, metrics_port, keep_replaced_hours; nearest: trigger_seconds.",
    ),
    "STREEM__PARTITIONS": (
        "2",
        "no such key; the file has: work_dir, storage, labels_path, targets, shares, target, "
        "survey, families, source, sink, stream, registry, starting_set, test_set, teaching_set; "
        "nearest: stream.",
    ),
    "SOURCE__PASSWORD": (
        "s3cret",
        "no such key; source has: servers, security_protocol, sasl_mechanism, ca_file, "
        "certificate_file, key_file, token_url, token_scope, kerberos_service, kerberos_principal, "
        "kerberos_keytab, options, options_librdkafka, options_java; credentials come from "
        "FINK_AL_KAFKA_USERNAME and FINK_AL_KAFKA_PASSWORD only.",
    ),
    "TARGET": (
        "late_snia",
        "No target 'late_snia'; known: anomaly, anomaly_lsst, early_snia, early_snia_lsst, "
        f"microlensing, microlensing_lsst in {_TARGETS}.",
    ),
    "SOURCE__SERVERS": (
        "me:s3cret@broker",
        "write host:port, several with commas between them (found '***@broker').",
    ),
    "STREAM__TOPICS": (
        "ztf_[0-9",
        "this is no regular expression: unterminated character set at position 4 "
        "(found 'ztf_[0-9').",
    ),
    "STREAM__LEDGER_TOPIC": (
        "the ledger",
        "Kafka's topic names have 1 to 249 of the letters a-z A-Z 0-9 . _ - (found 'the ledger').",
    ),
    "TARGET__LEDGER_TOPIC": (
        "mine",
        "no such key; target has: name, survey, positive, excluded, features, strategy, draw, "
        "model, challengers, promotion, cuts, flags, follow_up, stream_mix, joins, "
        "candidates_topic, like (in a file of conf/targets); since 0.2 it is the stream's: "
        "move it to stream.ledger_topic.",
    ),
    "TARGET__FOLLOW_UP__MAX_MAGNITUDE": (
        "inf",
        "Input should be a finite number (found 'inf').",
    ),
    "TEST_SET": (
        str(_TARGETS),
        f"{_TARGETS} is no file: name one, or null for none (found {str(_TARGETS)!r}).",
    ),
}


@pytest.mark.parametrize("name", _WRONG)
def test_a_wrong_variable_is_to_blame_and_no_secret_is_shown(monkeypatch, name):
    value, message = _WRONG[name]
    monkeypatch.setenv(f"FINK_AL_{name}", value)
    with pytest.raises(SettingsError) as error:
        load_settings()
    assert str(error.value) == f"FINK_AL_{name}: {message}"


def _registry(url):
    schemas = {"name": "lsst.v{major}_{minor}.alert", "registry": url}
    return {"survey": {"framing": "confluent", "schemas": schemas}}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"source": {"servers": ""}}, "source.servers: write host:port, .* \\(found ''\\)."),
        ({"source": {"servers": "a:1, b-2.c:23,[::1]:9092"}}, None),
        ({"stream": {"topics": "[a-z]+_[0-9]{8}"}}, None),
        ({"survey": {"framing": "confluent"}}, "confluent needs schemas"),
        (_registry("ftp://a"), "write an address that begins with https:// or http://"),
        (_registry("https://me:s3cret@a"), r"leave only scheme.*found 'https://\*\*\*@a'"),
        (_registry("http://a:8081/registry"), None),
    ],
)
def test_names_are_checked_before_anything_starts(overrides, message):
    if message is None:
        load_settings(**overrides)
    else:
        with pytest.raises(SettingsError, match=message):
            load_settings(**overrides)


def test_a_wrong_file_is_to_blame(tmp_path):
    file = tmp_path / "mine.yml"
    file.write_text("target: null", "utf-8")
    with pytest.raises(SettingsError) as error:
        load_settings(file)
    assert str(error.value) == (f"{file}: target is missing: name a file of conf/targets.")
    file.write_text("target: early_snia\nwork_dir: x\nstream: {secrets: s3cret}", "utf-8")
    with pytest.raises(SettingsError) as error:
        load_settings(file)
    message = str(error.value)
    assert message.startswith(f"{file}: stream.secrets: no such key; stream has: name, source")
    assert "s3cret" not in message


def test_null_in_a_variable_means_none(monkeypatch):
    monkeypatch.setenv("FINK_AL_TEST_SET", "null")
    monkeypatch.setenv("FINK_AL_STARTING_SET", "null")
    settings = load_settings()
    assert (settings.starting_set, settings.test_set) == (None, None)


def test_variables_name_lists_and_parts_of_a_target(monkeypatch):
    monkeypatch.setenv("FINK_AL_TARGET", "early_snia")
    monkeypatch.setenv("FINK_AL_TARGET__CUTS__BAND__ONE_OF", '["g"]')
    monkeypatch.setenv("FINK_AL_STREAM__TOPICS", "[a-z]+_[0-9]{8}")
    settings = load_settings()
    assert (settings.target.cuts["band"].one_of, settings.topics) == (("g",), "[a-z]+_[0-9]{8}")


def test_the_estimator_is_one_variable_and_only_its_settings_apply(monkeypatch):
    assert load_settings().target.model.applied()["prior"]["worth_labels"] == 40
    monkeypatch.setenv("FINK_AL_TARGET__MODEL__PRIOR__WORTH_LABELS", "2")
    assert load_settings().target.model.applied()["prior"]["worth_labels"] == 2
    monkeypatch.setenv("FINK_AL_TARGET__MODEL__ESTIMATOR", "random_forest")
    assert "prior" not in load_settings().target.model.applied()
    monkeypatch.setenv("FINK_AL_TARGET__MODEL__ESTIMATOR", "gradient_boosting")
    with pytest.raises(SettingsError, match="MODEL__ESTIMATOR: gradient_boosting was removed in"):
        load_settings()


def test_arguments_override_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("FINK_AL_SOURCE__SERVERS", "production:9092")
    monkeypatch.setenv("FINK_AL_SOURCE__SECURITY_PROTOCOL", "SSL")
    monkeypatch.setenv("FINK_AL_WORK_DIR", "/production")
    settings = load_settings(source={"servers": "localhost:1"}, work_dir=tmp_path)
    source = settings.source
    assert (source.servers, source.security_protocol) == ("localhost:1", "SSL")
    assert settings.work_dir == tmp_path


def test_the_environment_can_be_left_out(monkeypatch):
    expected = load_settings()
    for name in ("CONFIG", "TARGET", "WORK_DIR", "STREEM"):
        monkeypatch.setenv(f"FINK_AL_{name}", "elsewhere")
    assert load_settings(environment={}) == expected


def test_variables_that_are_no_settings_are_left_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("FINK_AL_IVY_SETTINGS", str(tmp_path / "ivy.xml"))
    monkeypatch.setenv("FINK_AL_CACHE", str(tmp_path))
    assert load_settings().target.name == "early_snia"


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
    with pytest.raises(SettingsError, match=r"broken\.yml is no valid YAML in line 1: "):
        load_settings(file)


def test_a_night_is_the_date_on_which_it_begins():
    survey = load_settings().survey
    assert (survey.night_of(61050.0), survey.night_of(61050.999)) == (20260110, 20260110)
    chile = survey.model_copy(update={"day_start": 0.7})
    assert (chile.night_of(61050.69), chile.night_of(61050.71)) == (20260109, 20260110)


def test_a_target_is_like_another_but_for_what_it_says(tmp_path):
    (tmp_path / "targets").mkdir()
    file = tmp_path / "targets" / "mine.yml"
    topics = {"candidates_topic": "mine_candidates"}
    said = {"like": "early_snia", "name": "mine", "cuts": {"too_old": {"at_most": 9}}, **topics}
    file.write_text(yaml.safe_dump(said), "utf-8")
    config = tmp_path / "fink_al.yml"
    config.write_text(find_resource("conf/fink_al.yml").read_text("utf-8"), "utf-8")
    none = {"starting_set": None, "test_set": None}
    none |= {"teaching_set": find_resource("data/early_snia/teaching_set.parquet")}
    mine = load_settings(config, environment={"FINK_AL_TARGET": "mine"}, **none).target
    theirs = load_settings(environment={}, **none).target
    assert mine.cuts == theirs.cuts | {"too_old": Cut(column="age_days", at_most=9.0)}
    assert (mine.name, mine.candidates_topic) == ("mine", "mine_candidates")
    assert mine.features == theirs.features

    # Its name is its own, and it has the file to blame.
    file.write_text(yaml.safe_dump({"like": "early_snia"}), "utf-8")
    with pytest.raises(SettingsError) as error:
        load_settings(config, environment={"FINK_AL_TARGET": "mine"}, **none)
    assert str(error.value) == f"{file}: missing: target.name."
    file.write_text(yaml.safe_dump({"like": "mine", "name": "mine", **topics}), "utf-8")
    with pytest.raises(SettingsError, match=r"mine\.yml: like: targets cannot be like each other"):
        load_settings(config, environment={"FINK_AL_TARGET": "mine"}, **none)
    file.write_text(yaml.safe_dump({"like": "nobody"}), "utf-8")
    with pytest.raises(SettingsError, match=r"mine\.yml: No target 'nobody'; known: "):
        load_settings(config, environment={"FINK_AL_TARGET": "mine"}, **none)


def test_each_target_has_its_own_data_sets():
    for name in ("early_snia", "early_snia_lsst", "microlensing", "microlensing_lsst"):
        settings = load_settings(environment={"FINK_AL_TARGET": name})
        for key in ("starting_set", "test_set", "teaching_set"):
            found = getattr(settings, key).resolve()
            assert found == find_resource(f"data/{name}/{key}.parquet").resolve()
    with pytest.raises(
        SettingsError,
        match=r"test_set of target 'early_snia': 'x/early_snia\.p' not found; .*or null",
    ):
        load_settings(environment={}, test_set="x/{target}.p")


def test_an_informed_estimator_needs_a_teaching_set():
    with pytest.raises(
        SettingsError,
        match="teaching_set is null, and the estimator informed_process needs one: name a file, or",
    ):
        load_settings(environment={"FINK_AL_TEACHING_SET": "null"})
    other = {"FINK_AL_TARGET__MODEL__ESTIMATOR": "random_forest", "FINK_AL_TEACHING_SET": "null"}
    assert load_settings(environment=other).teaching_set is None


def test_a_settings_file_that_simulates_its_teacher_is_refused():
    with pytest.raises(
        SettingsError,
        match=r"target\.model\.prior\.skies: no such key; target\.model\.prior has: worth_labels, ",
    ):
        load_settings(environment={}, target={"model": {"prior": {"skies": 3}}})


def test_the_width_of_earlier_versions_is_refused_with_what_replaces_it():
    with pytest.raises(SettingsError, match=r"remove uncertainty_width: .*draw\.exponent sets how"):
        load_settings(environment={}, target={"follow_up": {"uncertainty_width": 0.25}})
