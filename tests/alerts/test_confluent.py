"""Where a schema comes from by its number, and what of it is believed."""

import json
import logging
from importlib.metadata import PackageNotFoundError, version

import pytest
import schema_server as server
from schema_server import SchemaServer

from fink_al.alerts.confluent import Schemas, framed
from fink_al.alerts.schema import canonical, name_of
from fink_al.errors import AlertError
from fink_al.settings import SchemaSource


def text(version, *more):
    fields = [{"name": "diaSourceId", "type": "long"}, *more]
    namespace = f"lsst.v{version}"
    return json.dumps({"type": "record", "name": "alert", "namespace": namespace, "fields": fields})


@pytest.fixture
def registry():
    running = SchemaServer()
    running.schemas = {1000: text("10_0"), 1100: text("11_0"), 1101: text("11_1")}
    yield running
    running.close()


def schemas(tmp_path, **source):
    found = SchemaSource(name="lsst.v{major}_{minor}.alert", **source)
    return Schemas(found, tmp_path / "cache", {})


def reason(ask):
    with pytest.raises(AlertError) as error:
        ask()
    return error.value.reason


def test_a_message_is_a_zero_the_number_and_the_record():
    assert framed(1100, b"body") == b"\x00\x00\x00\x04\x4cbody"


def test_one_look_up_a_number_and_none_after_a_new_start(tmp_path, registry, caplog):
    first = schemas(tmp_path, registry=registry.url)
    assert first.find(1100) == canonical(text("11_0"))
    again = schemas(tmp_path, registry=registry.url)
    assert [again.find(1100), again.find(1000)] == [
        canonical(text("11_0")),
        canonical(text("10_0")),
    ]
    assert registry.asked == [1100, 1000]
    # What is kept may have been torn by a crash of the machine.
    (kept,) = (tmp_path / "cache").rglob("1100.avsc")
    kept.write_text("{")
    with caplog.at_level(logging.WARNING):
        assert again.find(1100) == canonical(text("11_0"))
    assert "is damaged and is fetched again" in caplog.text
    assert registry.asked == [1100, 1000, 1100]


def test_another_registry_has_other_schemas(tmp_path, registry):
    schemas(tmp_path, registry=registry.url).find(1100)
    assert reason(lambda: schemas(tmp_path, registry="http://127.0.0.1:9").find(1100)) == (
        "schema_unavailable"
    )


@pytest.mark.parametrize(
    "answer", [text("11_1"), '"int"', "no schema", text("11_0", {"name": "x", "type": "null"})]
)
def test_a_schema_of_another_number_or_none_is_refused_and_not_kept(tmp_path, registry, answer):
    registry.schemas[1100] = answer
    asked = schemas(tmp_path, registry=registry.url)
    assert reason(lambda: asked.find(1100)) == "bad_schema"
    assert not list(tmp_path.rglob("*.avsc"))


def test_a_folder_that_cannot_be_written_does_not_matter(tmp_path, registry, caplog):
    (tmp_path / "cache").write_text("a file")
    with caplog.at_level(logging.WARNING):
        assert schemas(tmp_path, registry=registry.url).find(1000) == canonical(text("10_0"))
    assert "is not kept" in caplog.text


def test_files_come_first_with_the_records_that_are_beside_them(tmp_path, registry):
    folder = tmp_path / "files" / "11" / "0"
    folder.mkdir(parents=True)
    field = {"name": "diaSource", "type": "lsst.v11_0.diaSource"}
    (folder / "lsst.v11_0.alert.avsc").write_text(text("11_0", field))
    asked = schemas(tmp_path, folder=tmp_path / "files", registry=registry.url)
    assert reason(lambda: asked.find(1100)) == "bad_schema"  # its part is missing
    source = {
        "type": "record",
        "name": "diaSource",
        "namespace": "lsst.v11_0",
        "fields": [{"name": "psfFlux", "type": "float"}],
    }
    (folder / "lsst.v11_0.diaSource.avsc").write_text(json.dumps(source))
    assert asked.find(1100) == canonical(text("11_0", {"name": "diaSource", "type": source}))
    assert registry.asked == []
    offline = schemas(tmp_path, folder=tmp_path / "files")
    assert reason(lambda: offline.find(1101)) == "unknown_schema"
    assert asked.find(1101) == canonical(text("11_1"))


def test_the_package_of_the_survey_has_all_versions_in_use(tmp_path):
    try:
        version("lsst-alert-packet")
    except PackageNotFoundError:
        pytest.skip("lsst-alert-packet is not installed (fink-al[lsst])")
    asked = schemas(
        tmp_path, package="lsst-alert-packet", package_folder="lsst/alert/packet/schema"
    )
    assert [name_of(asked.find(number)) for number in (1000, 1100, 1101)] == [
        "lsst.v10_0.alert", "lsst.v11_0.alert", "lsst.v11_1.alert"
    ]  # fmt: skip
    assert reason(lambda: asked.find(9900)) == "unknown_schema"


def test_a_package_that_is_not_installed_has_none(tmp_path):
    asked = schemas(tmp_path, package="no-such-package")
    assert reason(lambda: asked.find(1100)) == "unknown_schema"


def test_a_registry_that_is_down_does_not_matter_for_what_is_known(tmp_path, registry):
    asked = schemas(tmp_path, registry=registry.url)
    asked.find(1100)
    registry.faults[1101] = [server.page] * 3
    assert reason(lambda: asked.find(1101)) == "schema_unavailable"
    assert asked.find(1100) == canonical(text("11_0"))
