"""Against a server on this machine that behaves as TNS does."""

import logging
import socket
from datetime import date

import pytest
import tns_server
from tns_server import ENVIRONMENT, KEY, TnsServer, failing, send, table

from fink_al.errors import ServiceError, SettingsError
from fink_al.labels.tns import client as tns_client
from fink_al.labels.tns.client import TNS_URL, FileRefused, TnsClient, TnsError, covered_day

_DAY = "tns_public_objects_20260105.csv.zip"
_BODY = table("2026-01-05 00:00:00 - 23:59:59", '"1","SN","2026abc"')


@pytest.fixture
def tns():
    server = TnsServer()
    server.files[_DAY] = _BODY
    yield server
    server.close()


@pytest.fixture
def waited():
    return []


@pytest.fixture
def client(tns, waited):
    def sleep(seconds):
        waited.append(int(seconds))  # without the random part of a second
        tns.sleep(seconds)

    return TnsClient(tns.url, environment=ENVIRONMENT, sleep=sleep)


def test_a_file_arrives_as_it_is(tns, client, waited, tmp_path):
    assert client.download(_DAY, tmp_path / "file") == date(2026, 1, 5)
    assert (tmp_path / "file").read_bytes() == _BODY
    assert (tns.asked, waited) == ([_DAY], [])


def test_a_file_that_is_not_there_yet_is_none(client, tmp_path):
    assert client.download("tns_public_objects_20260106.csv.zip", tmp_path / "file") is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "fault",
    [
        tns_server.page,
        failing(500),
        failing(503),
        tns_server.torn(_BODY),
        tns_server.altered(_BODY),
        lambda request: send(request, 200, _BODY[:-30]),
        lambda request: send(request, 200, table("No table")),
        lambda request: send(request, 200, b""),
        lambda request: request.connection.shutdown(socket.SHUT_RDWR),
    ],
)
def test_what_passes_is_tried_again_after_a_growing_wait(tns, client, waited, tmp_path, fault):
    tns.faults[_DAY] = [fault, fault, fault]
    assert client.download(_DAY, tmp_path / "file") == date(2026, 1, 5)
    assert (tmp_path / "file").read_bytes() == _BODY
    assert waited == [0, 2, 4]


def test_what_does_not_pass_ends_with_a_sentence(tns, client, waited, tmp_path):
    tns.faults[_DAY] = [tns_server.page] * 9
    text = "20260105.csv.zip failed: not a whole zip file of a TNS table, tried 5 times. Run"
    with pytest.raises(FileRefused, match=text):
        client.download(_DAY, tmp_path / "file")
    assert (len(tns.asked), waited) == (5, [0, 2, 4, 8])


@pytest.mark.parametrize(
    ("fault", "text", "is_forbidden"),
    [
        (failing(400), "400 Bad Request", False),
        (tns_server.elsewhere, "302 Found", False),
        (failing(403), "403 Forbidden", True),
    ],
)
def test_a_refusal_is_not_tried_again(tns, client, waited, tmp_path, fault, text, is_forbidden):
    tns.faults[_DAY] = [fault]
    with pytest.raises(FileRefused, match=f"20260105.csv.zip failed: {text}") as error:
        client.download(_DAY, tmp_path / "file")
    assert (len(tns.asked), waited, error.value.is_forbidden) == (1, [], is_forbidden)
    assert client.download(_DAY, tmp_path / "file") == date(2026, 1, 5)


def test_a_wrong_key_is_refused_and_never_said(tns, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    wrong = ENVIRONMENT | {"FINK_AL_TNS_API_KEY": "wrong-0815"}
    text = "refused the API key: 401 Unauthorized. Compare FINK_AL_TNS_API_KEY and FINK_AL_TNS_US"
    with pytest.raises(TnsError, match=text) as error:
        TnsClient(tns.url, environment=wrong).download(_DAY, tmp_path / "file")
    right = TnsClient(tns.url, environment=ENVIRONMENT, sleep=tns.sleep)
    tns.faults[_DAY] = [failing(500), tns_server.torn(_BODY)]
    right.download(_DAY, tmp_path / "file")
    assert "tns_public_objects_20260105" in caplog.text
    for key in ("wrong-0815", KEY):
        assert key not in caplog.text + str(error.value) + repr(vars(error.value))


def test_too_many_requests_wait_for_the_end_of_the_window(tns, client, waited, tmp_path):
    tns.remaining, tns.reset_s = 0, 17
    assert client.download(_DAY, tmp_path / "file") == date(2026, 1, 5)
    assert (tns.asked, waited) == ([_DAY, _DAY], [17])


def test_the_last_request_of_a_window_is_followed_by_its_end(tns, client, waited, tmp_path):
    tns.remaining, tns.reset_s = 1, 17
    assert client.download(_DAY, tmp_path / "file") == date(2026, 1, 5)
    assert waited == []  # nobody asked for more
    assert client.download(_DAY, tmp_path / "file") == date(2026, 1, 5)
    assert (tns.asked, waited) == ([_DAY, _DAY], [17])


@pytest.mark.parametrize("reset", ["", "soon", "-5", "1e9"])
def test_a_limit_without_a_sensible_end_waits_a_minute(tns, client, waited, tmp_path, reset):
    tns.faults[_DAY] = [lambda request: send(request, 429, b"", reset=reset)]
    assert client.download(_DAY, tmp_path / "file") == date(2026, 1, 5)
    assert waited == [60]


def test_a_wait_beyond_its_time_is_not_begun(tns, client, waited, tmp_path):
    tns.remaining, tns.reset_s = 0, 3600
    with pytest.raises(TnsError, match=r"the next attempt is due in 360\d s, and 1[78]\d\d s are"):
        client.download(_DAY, tmp_path / "file")
    assert waited == []


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (tns_server.trickling, "the time is over: the answer arrives too slowly"),
        (tns_server.silent, r"the time is over: no answer \(ReadTimeout\)"),
    ],
)
def test_a_slow_server_is_given_up(tns, tmp_path, fault, said):
    tns.faults[_DAY] = [fault] * 9
    client = TnsClient(tns.url, environment=ENVIRONMENT, seconds=2.0, sleep=tns.sleep)
    with pytest.raises(TnsError, match=said) as error:
        client.download(_DAY, tmp_path / "file")
    assert (len(tns.asked), type(error.value)) == (1, TnsError)


def test_an_absent_server_is_said(tmp_path):
    client = TnsClient("http://127.0.0.1:9", environment=ENVIRONMENT, sleep=lambda seconds: None)
    with pytest.raises(
        TnsError, match=r"no connection \(ConnectionError\), tried 5 times"
    ) as error:
        client.download(_DAY, tmp_path / "file")
    assert type(error.value) is TnsError


def test_a_file_of_any_length_is_not_taken(tns, client, tmp_path, monkeypatch):
    monkeypatch.setattr(tns_client, "_MAX_BYTES", len(_BODY) - 1)
    with pytest.raises(FileRefused, match=r"failed: an answer of more than \d+ bytes"):
        client.download(_DAY, tmp_path / "file")
    assert (tmp_path / "file").stat().st_size < len(_BODY)


def test_a_file_that_unpacks_to_too_much_is_not_taken(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(_BODY)
    monkeypatch.setattr(tns_client, "MOST_CSV_BYTES", 50)
    with pytest.raises(ValueError, match="not a whole zip file"):
        covered_day(tmp_path / "file")


@pytest.mark.parametrize(
    "covers", ["2026-01-05 00:00:00", "2026-01-05 07:00:00 - 07:59:59", "2026-01-05 00:00 - 23:59"]
)
def test_the_first_line_says_the_day(tmp_path, covers):
    (tmp_path / "file").write_bytes(table(covers))
    assert covered_day(tmp_path / "file") == date(2026, 1, 5)


def test_what_cannot_be_written_is_no_fault_of_the_network(client, tmp_path):
    with pytest.raises(ServiceError, match=r"Cannot write .*: No such file or directory"):
        client.download(_DAY, tmp_path / "nowhere" / "file")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"FINK_AL_TNS_API_KEY": ""}, "lacks FINK_AL_TNS_API_KEY: export"),
        ({"FINK_AL_TNS_USER_AGENT": " "}, "lacks FINK_AL_TNS_USER_AGENT: export"),
        ({"FINK_AL_TNS_USER_AGENT": "Mozilla/5.0"}, "FINK_AL_TNS_USER_AGENT is not a marker"),
        ({"FINK_AL_TNS_USER_AGENT": "tns_marker{}"}, "FINK_AL_TNS_USER_AGENT is not a marker"),
        ({"FINK_AL_TNS_USER_AGENT": "tns_marker{1}"}, "FINK_AL_TNS_USER_AGENT is not a marker"),
        ({"FINK_AL_TNS_USER_AGENT": "tns_marker{\n}"}, "FINK_AL_TNS_USER_AGENT is not a marker"),
    ],
)
def test_what_is_missing_is_named(change, said):
    with pytest.raises(SettingsError, match=said) as error:
        TnsClient(environment=ENVIRONMENT | change)
    assert KEY not in str(error.value)


@pytest.mark.parametrize("url", ["http://www.wis-tns.org/x", "ftp://127.0.0.1/x", "127.0.0.1"])
def test_the_key_goes_out_encrypted_only(url):
    with pytest.raises(SettingsError, match="must begin with https://"):
        TnsClient(url, environment=ENVIRONMENT)
    TnsClient(TNS_URL, environment=ENVIRONMENT)
