"""One refusal ends nothing that is independent of it, and the next run asks for it again."""

from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from tns_server import ENVIRONMENT, TnsServer, failing, table, zipped

from fink_al.cli.main import cli
from fink_al.labels.store import LabelStore
from fink_al.labels.tns.client import TnsClient
from fink_al.labels.tns.folder import TnsFolder

_NOW = datetime(2026, 1, 6, 2, 30, tzinfo=UTC)
_DATES = ("20260103", "20260104", "20260105")
_HOURS = ("20260106_00", "20260106_01")
_FULL = "tns_public_objects.csv.zip"


def day(text):
    return f"tns_public_objects_{text}.csv.zip"


@pytest.fixture
def tns():
    """At half past two: the catalogue of the 3rd, three days, the hours 00 and 01."""
    server = TnsServer()
    server.files[_FULL] = table("2026-01-04 00:00:00", "1")
    for date in _DATES:
        covers = f"{date[:4]}-{date[4:6]}-{date[6:]} 00:00:00 - 23:59:59"
        server.files[day(date)] = table(covers, "2")
    for hour in ("00", "01"):
        server.files[day(hour)] = table(f"2026-01-06 {hour}:00:00 - {hour}:59:59", "3")
    yield server
    server.close()


@pytest.fixture
def run(tns, tmp_path):
    """Fetches; the names of what was imported, and what failed."""

    def call(now=_NOW, environment=ENVIRONMENT):
        tns.asked.clear()
        imported = []

        def take(file):
            imported.append(file.name.removeprefix("tns_public_objects_").removesuffix(".csv.zip"))
            return 0

        client = TnsClient(tns.url, environment=environment, sleep=tns.sleep)
        done = TnsFolder(tmp_path / "tns").fetch(client, take, now=now)
        assert done.imported == len(imported)
        return imported, done.failures

    return call


def refuse(tns, name, status, times=99):
    tns.faults[name] = [failing(status)] * times


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (403, "403 Forbidden"),
        (503, "503 Service Unavailable, tried 5 times"),
        (429, "429 Too Many Requests, tried 5 times"),
        (400, "400 Bad Request"),
    ],
)
def test_without_the_whole_table_the_days_and_hours_come(tns, run, status, problem):
    refuse(tns, _FULL, status)
    imported, failures = run()
    assert imported == [*_DATES, *_HOURS]
    assert failures == (
        f"TNS request for {_FULL} failed: {problem}. Run the command again later; what was "
        "fetched is kept.",
    )
    # The next run asks for it again, and not for what came.
    assert run() == ([], failures)
    assert not {day(date) for date in _DATES} & set(tns.asked)
    tns.faults.clear()
    assert run() == (["until_20260104"], ())
    assert tns.asked == [_FULL]
    assert run(_NOW + timedelta(days=1, hours=-2)) == ([], ())
    assert tns.asked == [day("20260106")]


def test_a_whole_table_that_is_not_there_is_a_failure_too(tns, run):
    del tns.files[_FULL]
    imported, failures = run()
    assert imported == [*_DATES, *_HOURS]
    assert failures == (f"TNS has no {_FULL}. Run the command again later.",)


def test_a_refused_day_is_asked_for_again_and_nothing_else(tns, run):
    refuse(tns, day("20260104"), 403)
    imported, failures = run()
    assert imported == ["until_20260104", "20260105", *_HOURS]
    assert [text.partition(". ")[0] for text in failures] == [
        f"TNS request for {day('20260104')} failed: 403 Forbidden"
    ]
    tns.faults.clear()
    assert run() == (["20260104"], ())
    assert tns.asked == [day("20260104")]


def test_a_refused_hour_ends_nothing(tns, run):
    refuse(tns, day("00"), 503)
    imported, failures = run()
    assert imported == ["until_20260104", *_DATES[1:], _HOURS[1]]
    assert len(failures) == 1


def test_a_refused_weekly_table_ends_nothing(tns, run):
    run()
    refuse(tns, _FULL, 403)
    for number in range(6, 12):
        name = f"2026-01-{number:02}"
        tns.files[day(name.replace("-", ""))] = table(f"{name} 00:00:00 - 23:59:59", "6")
    imported, failures = run(datetime(2026, 1, 12, 0, 30, tzinfo=UTC))
    assert imported == [f"202601{number:02}" for number in range(6, 12)]
    assert [text.partition(". ")[0] for text in failures] == [
        f"TNS request for {_FULL} failed: 403 Forbidden"
    ]


def test_a_wrong_marker_is_what_all_refusals_have_in_common(tns, run):
    for name in [*tns.files, *(day(f"202512{n:02}") for n in range(7, 32))]:
        refuse(tns, name, 403)
    imported, failures = run()
    assert (imported, len(tns.asked)) == ([], 10)  # and it is not asked for all thirty days
    assert failures == (
        "TNS answered 403 Forbidden for every file, 10 in all. Compare FINK_AL_TNS_API_KEY and "
        "FINK_AL_TNS_USER_AGENT with the page of your bot at TNS; if both are right, ask TNS "
        "whether it blocks this bot or this machine.",
    )


def test_a_wrong_key_is_asked_with_once(tns, run):
    imported, failures = run(environment=ENVIRONMENT | {"FINK_AL_TNS_API_KEY": "wrong"})
    assert (imported, tns.asked) == ([], [_FULL])
    assert [text.partition(". ")[0] for text in failures] == [
        "TNS refused the API key: 401 Unauthorized"
    ]


def test_a_server_that_goes_away_ends_the_run_and_what_came_is_used(tns, run):
    def die(request):
        tns.close()
        request.connection.close()

    tns.faults[day("20260105")] = [die]
    imported, failures = run()
    assert imported == ["until_20260104", "20260104"]
    (failure,) = failures
    assert failure.startswith(f"TNS request to {tns.url} failed: no connection (")
    assert set(tns.asked) == {_FULL, day("20260104"), day("20260105")}


def test_the_command_uses_what_came_and_ends_with_2(tns, tmp_path, monkeypatch, tns_table, tns_row):
    for name, value in {**ENVIRONMENT, "FINK_AL_WORK_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    stamp = f'"{yesterday:%Y-%m-%d} 00:00:00 - 23:59:59"\n'
    tns.files = {day(f"{yesterday:%Y%m%d}"): zipped(tns_table(tns_row(), stamp=stamp))}
    refuse(tns, _FULL, 403)
    done = CliRunner().invoke(cli, ["labels", "fetch", "--url", tns.url])
    assert done.exit_code == 2
    assert "1 files fetched, " in done.stdout
    assert f"Error: TNS request for {_FULL} failed: 403 Forbidden. Run the command" in done.stderr
    assert LabelStore(tmp_path / "labels").typed_objects() == ["ZTF26aaaaaaa"]
