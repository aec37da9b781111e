"""``fink-al requests`` against a stand-in of a telescope's server."""

import json
from datetime import timedelta

import pytest
import yaml
from archive_files import put_rows
from click.testing import CliRunner
from simulated_lists import simulated_list

from fink_al.archive.reading import Archive
from fink_al.cli.requests import requests
from fink_al.demo.standin import StandIn
from fink_al.errors import FinkAlError
from fink_al.followup.plan.plan import PlanLimits
from fink_al.followup.plan.tonight import plan_tonight
from fink_al.labels.label import Label
from fink_al.loop import Loop
from fink_al.settings import load_settings, load_telescope

TOKEN = "t0ken-of-tests"
simulated = pytest.fixture(simulated_list, scope="module")


class Site:
    """An installation with one telescope, its server, and a clock."""

    def __init__(self, folder, simulated, monkeypatch):
        self.folder, self.config = folder, folder / "own.yml"
        self.config.write_text(yaml.safe_dump({"work_dir": str(folder)}))
        self.settings = load_settings(self.config, starting_set=None, test_set=None)
        put_rows(Archive(self.settings.archive_dir), *simulated)
        self.loop = Loop.open(self.settings)
        self.loop.labels.store.make()
        telescopes = [load_telescope()]
        tonight = plan_tonight(self.loop, telescopes, PlanLimits(method="heuristic"))
        self.time, self.planned = tonight.closes, tonight.plan.observations
        self.server = StandIn("me", "pa55", TOKEN, ["ABC"], slow_s=0.1, now=lambda: self.time)
        monkeypatch.setattr("fink_al.followup.times.now", lambda: self.time)
        monkeypatch.setenv("FINK_AL_TELESCOPE_ANU_2M3_TOKEN", TOKEN)
        self.announced = []
        monkeypatch.setattr(
            "fink_al.followup.telescopes.topic.announce", lambda *what: self.announced.append(what)
        )

    def use(self, **requests):
        """Write the telescope's file."""
        (self.folder / "telescopes").mkdir(exist_ok=True)
        how = {"adapter": "ocs", "url": self.server.url, "proposal": "ABC"} | requests
        text = yaml.safe_dump({"like": "anu_2m3", "requests": how})
        (self.folder / "telescopes" / "anu_2m3.yml").write_text(text)

    def run(self, command, *options):
        arguments = [command, *options, "--config", str(self.config)]
        return CliRunner().invoke(requests, arguments, catch_exceptions=False)

    def states(self):
        records = json.loads(self.run("list", "--json").stdout)
        return {r["request_id"]: r["state"] for r in records if r["begins"]}


@pytest.fixture
def site(tmp_path, simulated, monkeypatch):
    made = Site(tmp_path, simulated, monkeypatch)
    with made.server:
        made.use(submit=True)
        yield made


HEURISTIC = ("--method", "heuristic")


def test_nothing_is_sent_before_the_setting_says_so(site):
    site.use()
    done = site.run("submit", *HEURISTIC)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert len(lines) == len(site.planned) + 2
    assert all("dry run (would be sent, " in line for line in lines[:-2])
    assert all(" h charged)" in line for line in lines[:-2])
    assert lines[-2].endswith(f"{len(site.planned)} dry run.")
    assert "set requests.submit to true" in lines[-1]
    assert site.server.queue.entries == []
    assert site.run("list").stdout.splitlines()[-1] == "No requests."


def test_a_night_from_plan_to_label(site):
    done = site.run("submit", *HEURISTIC)
    assert done.exit_code == 0
    names = {entry.name for entry in site.server.queue.entries}
    assert len(names) == len(site.planned)
    assert site.run("submit", *HEURISTIC).exit_code == 0  # all is there: nothing is sent again
    assert len(site.server.queue.entries) == len(names)
    assert set(site.states().values()) == {"submitted"}
    assert site.run("sync").exit_code == 0
    assert set(site.states().values()) == {"accepted"}
    first, *_ = sorted(names)
    shown = site.run("show", first).stdout
    assert "tau" in shown
    assert '"state": "PENDING"' in shown
    assert TOKEN not in shown
    site.time += timedelta(hours=14)
    site.server.observe(at=site.time)
    out = site.run("sync").stdout
    assert f"{first}: observed" in out
    record = next(r for r in site.loop.requests.current().values() if r.request_id == first)
    label = Label(record.object_id, "SN Ia", "spectrum", site.time, evidence=first)
    site.loop.labels.store.add([label])
    assert f"{first}: classified (by spectrum)" in site.run("sync").stdout
    listed = site.run("list", "--state", "classified").stdout
    assert first in listed
    assert listed.splitlines()[-1] == "1 classified"


def test_a_person_cancels(site):
    site.run("submit", *HEURISTIC)
    site.run("sync")
    first = sorted(site.states())[0]
    assert site.run("cancel", first).stdout == f"{first}: withdrawn.\n"
    assert [e.state for e in site.server.queue.entries if e.name == first] == ["removed"]
    assert [record[1] for record in site.announced] == ["anu_2m3"]
    with pytest.raises(FinkAlError, match="is withdrawn: there is nothing to cancel"):
        site.run("cancel", first)
    assert site.run("reopen", first).stdout == f"{first}: drawn.\n"
    with pytest.raises(FinkAlError, match="is drawn; only failed, expired and withdrawn"):
        site.run("reopen", first)
    site.run("submit", *HEURISTIC)
    assert site.states()[first] == "submitted"
    assert [e.state for e in site.server.queue.entries if e.name == first] == ["removed", "waiting"]


def test_brackets_of_an_answer_are_shown(site):
    site.run("submit", *HEURISTIC)
    first = sorted(site.states())[0]
    site.run("cancel", first, "--reason", "use [slit_2.0as], see [/x]")
    assert "use [slit_2.0as], see [/x]" in site.run("list").stdout
    assert "use [slit_2.0as], see [/x]" in site.run("show", first).stdout


@pytest.mark.parametrize("fault", ["error_before", "never_listed"])
def test_what_no_list_has_is_told_and_cancelled_by_a_person(site, fault):
    site.server.fail("submit", fault)
    done = site.run("submit", *HEURISTIC)
    assert done.exit_code == (1 if fault == "error_before" else 0)
    name = done.stdout.splitlines()[0].split()[3].rstrip(":")
    assert site.run("sync").exit_code == 0
    site.time += timedelta(hours=1)
    told = site.run("sync")
    assert told.exit_code == 1
    assert f"fink-al requests cancel {name}" in told.stderr
    assert site.run("cancel", name).stdout == f"{name}: withdrawn.\n"
    assert site.run("sync").exit_code == 0


def test_expired_credentials_send_nothing(site, monkeypatch):
    monkeypatch.setenv("FINK_AL_TELESCOPE_ANU_2M3_TOKEN", "old")
    done = site.run("submit", *HEURISTIC)
    assert done.exit_code == 1
    first, *others = done.stdout.splitlines()[:-1]
    assert "not sent" in first
    assert "401" in first
    assert "FINK_AL_TELESCOPE_ANU_2M3_TOKEN" in first
    assert all("one before it could not be sent" in line for line in others)
    assert set(site.states().values()) == {"planned"}
    monkeypatch.delenv("FINK_AL_TELESCOPE_ANU_2M3_TOKEN")
    with pytest.raises(FinkAlError, match="lacks FINK_AL_TELESCOPE_ANU_2M3_TOKEN"):
        site.run("submit")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("submit", "--telescope", "keck"), "There is no telescope 'keck'; known: anu_2m3, "),
        (("submit", "--night", "2026-02-30"), "2026-02-30"),
        (("submit", "--night", "20200101"), "night 20200101 has no candidates; archived nights: "),
        (("submit", "--hours", "0"), "The hours are 0; give a number above 0, at most 24."),
        (("submit", "--hours", "0.1"), "0.1 h of anu_2m3 hold no block; the shortest takes "),
        (("show", "x"), "There is no request 'x'; fink-al requests list --all shows all names."),
        (("cancel", "x"), "There is no request 'x'; "),
        (("reopen", "x"), "There is no request 'x'; "),
        (("submit", "--night", "99991231"), "nights are of 1990 to 2100."),
        (("list", "--state", "lost"), "There is no state 'lost'; there are: drawn, planned, "),
        (("list", "--night", "20200101"), "List 20200101 has no requests; lists that have: none"),
    ],
)
def test_what_cannot_be_done_gets_a_sentence_and_sends_nothing(site, arguments, sentence):
    with pytest.raises(FinkAlError) as error:
        site.run(*arguments)
    assert sentence in str(error.value)
    assert site.server.queue.entries == []
    assert not (site.folder / "requests").exists()
