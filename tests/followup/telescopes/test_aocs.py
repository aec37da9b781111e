"""The forms of the ANU 2.3 m, against a stand-in."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from fink_al.followup.telescopes import InDoubt, NotSent, Refused


def test_a_request_fills_the_form(aocs, stand_in, asked):
    receipt = aocs(photometric=True, priority=2).submit(asked())
    assert receipt.telescope_id is None
    assert json.loads(receipt.answer)["msg"] == "Observation added"
    (entry,) = stand_in.queue.entries
    assert entry.content == {
        "PROPOSAL": "1234",
        "USERDEFID": "early_snia-20260110-ZTF26aaaaaaa",
        "USERDEFPRI": "2",
        "NOBSBLK": "1",
        "MAXSEEING": "3",
        "PHOTOMETRIC": "true",
        "MAXLUNARPHASE": "100",
        "TIMECONSTRAINT": "Flexible",
        "TIMEREF": "2026-01-10 10:00:00",
        "TIMEWINDOW": "28800",
        "INSTR_PRI_0": "WiFeS",
        "IMGTYPE_0": "Object",
        "MODE_0": "ClassicalEqual",
        "DICHROIC_0": "RT560",
        "RED_GRATING_0": "R3000",
        "BLUE_GRATING_0": "B3000",
        "APERTUREWHEEL_0": "Clear",
        "RA_0": "10 00 24.00",
        "DEC_0": "-20 12 00.0",
        "PMOT_0": "0 0",
        "ACQ_RA_0": "10 00 24.00",
        "ACQ_DEC_0": "-20 12 00.0",
        "ACQ_PMOT_0": "0 0",
        "BLINDACQ_0": "false",
        "ROT_0": "PA",
        "ROTANG_0": "0",
        "MAG_0": "19.03",
        "AGFILTER_0": "R",
        "GUIDE_0": "BestEffort",
        "NEXP_0": "2",
        "STELLAR_0": "false",
        "BINX_0": "1",
        "BINY_0": "2",
        "EXPTIME_0": "900",
    }


def test_nod_and_shuffle_has_a_sky(aocs, stand_in, asked):
    how = {"mode": "ObjectSkyNodAndShuffle", "sub_cycle": "60", "window_unit": "min"}
    aocs(**how).submit(asked())
    (entry,) = stand_in.queue.entries
    assert {name: entry.content[name] for name in ("SKYA_RA_0", "SKYA_DEC_0", "SKY_EXPTIME_0")} == {
        "SKYA_RA_0": "10 00 24.00",
        "SKYA_DEC_0": "-20 07 00.0",
        "SKY_EXPTIME_0": "900",
    }
    assert (entry.content["SCDESCR_0"], entry.content["TIMEWINDOW"]) == ("60", "480")


def test_the_proposal_is_checked(aocs, asked, fails):
    quote = aocs().validate(asked())
    assert (quote.hours, quote.problems) == (None, ())
    assert json.loads(quote.answer)["found"]
    # Not the request's fault: it may be sent once the setting is right.
    assert fails(NotSent, aocs(proposal="99").validate, asked()).match(
        r"proposal 99 \(Proposal not found\): correct requests.proposal"
    )


def test_a_refusal_is_one_whatever_its_status(aocs, asked, fails):
    error = fails(Refused, aocs(proposal="99").submit, asked())
    assert str(error.value) == f"anu_2m3 refuses {asked().request_id}: Proposal not found."


def test_all_pages_of_the_list_are_read(aocs, stand_in, asked):
    adapter = aocs()
    requests = [asked(n) for n in range(7)]
    for request in requests:
        adapter.submit(request)
    stand_in.queue.page_size = 3
    stand_in.observe([requests[0].request_id], asked().begins)
    found = adapter.statuses(requests)
    assert list(found) == [request.request_id for request in reversed(requests)]
    assert [status.state for status in found.values()] == ["accepted"] * 6 + ["observed"]
    assert list(adapter.statuses(requests[1:2])) == [requests[1].request_id]
    assert adapter.statuses([asked("other")]) == {}
    calls = stand_in.queue.calls["list"]
    assert adapter.statuses([]) == {}
    assert stand_in.queue.calls["list"] == calls


@pytest.fixture
def page(aocs):
    """Makes an adapter of a server whose pages all have one text."""
    text = [""]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text[0].encode())

        do_POST = do_GET

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

    def make(answer):
        text[0] = answer if isinstance(answer, str) else json.dumps(answer)
        return aocs(url=f"http://127.0.0.1:{server.server_port}")

    yield make
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"status": False}, Refused),
        ({"status": False, "msg": "No observing time left"}, Refused),
        ("Error: no such proposal", Refused),
        ("<html><title>Invalid request</title></html>", Refused),
        ({"status": False, "auth": False, "msg": "who are you"}, NotSent),
        # The script may have broken off behind its work.
        ("<b>Fatal error</b>: Uncaught PDOException", InDoubt),
        ('Warning: mail() failed {"status": true}', InDoubt),
        ({"status": True, "msg": "Error: the queue is full"}, InDoubt),
        ({"status": "true"}, InDoubt),
        ({"result": "ok"}, InDoubt),
        ([], InDoubt),
        ("", InDoubt),
        ("<html>Please log in</html>", InDoubt),
        ("[" * 100_000, InDoubt),
    ],
)
def test_only_a_clear_success_is_one(page, asked, fails, answer, kind):
    fails(kind, page(answer).submit, asked())
    fails(kind, page(answer).cancel, asked())


def test_a_success_is_kept_without_secrets(page, asked):
    answer = {"status": True, "msg": 'added by observer, pa55:"w/rd'}
    kept = json.loads(page(answer).submit(asked()).answer)
    assert kept == {"status": True, "msg": "added by observer, ***"}


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "<html>",
        [],
        {"status": False, "msg": "the database is down"},
        {"status": True, "data": {"userDefId": "x"}},
        {"status": True, "data": ["x"]},
    ],
)
def test_a_list_of_another_form_is_an_error(page, asked, fails, answer):
    assert fails(NotSent, page(answer).statuses, [asked()]).match("which cannot be read; look at")


def test_a_list_without_end_is_an_error(page, asked, fails):
    endless = page({"status": True, "data": [{"userDefId": "x", "obsStatus": "Waiting"}]})
    error = fails(NotSent, endless.statuses, [asked()])
    assert error.match("proposal 1234 at anu_2m3 does not end after 50 entries")


def test_a_time_that_is_none_is_missing(aocs, asked):
    entry = {"userDefId": asked().request_id, "obsStatus": "Succeeded", "tsExec": ""}
    pages = aocs()
    pages._web.ask = lambda *path, form: json.dumps(
        {"data": [entry] if form["OFFSET"] == "0" else []}
    )
    (status,) = pages.statuses([asked()]).values()
    assert (status.state, status.observed) == ("observed", None)
