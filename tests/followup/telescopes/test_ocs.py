"""An observatory with OCS, against a stand-in."""

import json

import pytest

from fink_al.followup.telescopes import NotSent, Refused


def configuration(kind, exposure_s, count):
    return {
        "type": kind,
        "instrument_type": "2M0-FLOYDS-SCICAM",
        "constraints": {"max_airmass": 2.0, "min_lunar_distance": 30.0, "max_lunar_phase": 1.0},
        "target": {
            "name": "ZTF26aaaaaaa",
            "type": "ICRS",
            "ra": 150.1,
            "dec": -20.2,
            "epoch": 2000.0,
        },
        "acquisition_config": {"mode": "WCS"},
        "guiding_config": {"mode": "ON", "optional": True},
        "instrument_configs": [
            {
                "exposure_time": exposure_s,
                "exposure_count": count,
                "mode": "default",
                "rotator_mode": "VFLOAT",
                "optical_elements": {"slit": "slit_2.0as"},
            }
        ],
    }


def test_a_request_is_a_group_of_one(ocs, stand_in, asked):
    receipt = ocs(site="coj", ipp_value=1.05).submit(asked())
    (entry,) = stand_in.queue.entries
    assert receipt.telescope_id == str(entry.number)
    assert json.loads(receipt.answer)["state"] == "PENDING"
    assert entry.content == {
        "name": "early_snia-20260110-ZTF26aaaaaaa",
        "proposal": "1234",
        "ipp_value": 1.05,
        "operator": "SINGLE",
        "observation_type": "NORMAL",
        "requests": [
            {
                "configurations": [
                    configuration("SPECTRUM", 899.5, 2),
                    configuration("LAMP_FLAT", 20.0, 1),
                    configuration("ARC", 60.0, 1),
                ],
                "windows": [{"start": "2026-01-10T10:00:00Z", "end": "2026-01-10T18:00:00Z"}],
                "location": {"telescope_class": "2m0", "site": "coj"},
                "acceptability_threshold": 100,
            }
        ],
    }


def test_settings_reach_the_group(ocs, stand_in, asked):
    how = {
        "calibrate": False,
        "rotator_mode": "SKY",
        "acquisition": "BRIGHTEST",
        "guide_is_optional": False,
        "optical_elements": {"grating": "R_400"},
        "window_hours": 5,
    }
    ocs(**how).submit(asked())
    (request,) = stand_in.queue.entries[0].content["requests"]
    (spectrum,) = request["configurations"]
    (exposure,) = spectrum["instrument_configs"]
    assert exposure["extra_params"] == {"rotator_angle": 0.0}
    assert exposure["optical_elements"] == {"slit": "slit_2.0as", "grating": "R_400"}
    assert spectrum["acquisition_config"]["extra_params"] == {"acquire_radius": 5.0}
    assert not spectrum["guiding_config"]["optional"]
    # Around the planned block, from 12:00 to 12:40, within the whole window.
    assert request["windows"] == [{"start": "2026-01-10T10:00:00Z", "end": "2026-01-10T14:50:00Z"}]
    assert request["location"] == {"telescope_class": "2m0"}


def test_a_dry_run_gives_the_hours(ocs, stand_in, asked):
    quote = ocs().validate(asked())
    assert quote.hours == pytest.approx((2 * 899.5 + 20 + 60 + 3 * 120) / 3600, abs=1 / 3600)
    assert quote.problems == ()
    assert stand_in.queue.entries == []


def test_a_dry_run_gives_problems_with_their_places(ocs, asked):
    over = asked(opens=asked().opens.replace(day=1), closes=asked().closes.replace(day=2))
    quote = ocs(proposal="99").validate(over)
    assert quote.hours is None
    assert quote.problems == (
        'proposal: Invalid pk "99" - object does not exist.',
        "requests.0.windows.0: Window end time must be in the future.",
    )


def test_reasons_of_a_refusal_are_said(ocs, asked, fails):
    error = fails(Refused, ocs(proposal="99").submit, asked())
    assert str(error.value) == (
        f'lco_2m refuses {asked().request_id}: proposal: Invalid pk "99" - object does not exist.'
    )
    assert json.loads(error.value.answer)["proposal"]


def test_names_are_compared_whole_over_all_pages(ocs, stand_in, asked):
    adapter = ocs()
    requests = [asked(), *(asked(n) for n in range(6)), asked("x")]
    for request in requests:
        adapter.submit(request)
    stand_in.queue.page_size = 3
    stand_in.observe([asked(0).request_id], asked().begins)
    # Its name is a part of the others'.
    (status,) = adapter.statuses([asked(), asked("y")]).values()
    assert status.state == "accepted"
    assert json.loads(status.answer)["name"] == asked().request_id
    assert stand_in.queue.calls["list"] == 4


@pytest.mark.parametrize(
    ("state", "result"),
    [
        ("waiting", "accepted"),
        ("observed", "observed"),
        ("expired", "expired"),
        ("rejected", "failed"),
        ("removed", "withdrawn"),
    ],
)
def test_states_have_names(ocs, stand_in, asked, state, result):
    adapter = ocs()
    receipt = adapter.submit(asked())
    stand_in.queue.entries[0].state = state
    status = adapter.statuses([asked()])[asked().request_id]
    assert (status.state, status.telescope_id) == (result, receipt.telescope_id)


def test_all_that_wait_are_cancelled_without_an_id(ocs, stand_in, asked):
    adapter = ocs()
    stand_in.fail("submit", "duplicate")
    adapter.submit(asked())
    receipt = adapter.cancel(asked())
    assert receipt.answer.count("CANCELED") == 2
    assert [entry.state for entry in stand_in.queue.entries] == ["removed", "removed"]


def test_what_is_done_or_unknown_cannot_be_cancelled(ocs, stand_in, asked, fails):
    adapter = ocs()
    receipt = adapter.submit(asked())
    stand_in.observe()
    done = asked(telescope_id=receipt.telescope_id)
    assert fails(Refused, adapter.cancel, done).match("does not wait in the list of lco_2m")


def test_all_that_wait_under_a_name_are_cancelled(ocs, stand_in, asked):
    adapter = ocs()
    stand_in.fail("submit", "duplicate")
    receipt = adapter.submit(asked())
    adapter.cancel(asked(telescope_id=receipt.telescope_id))
    assert [entry.state for entry in stand_in.queue.entries] == ["removed", "removed"]


def test_a_list_without_end_is_an_error_there(ocs, asked, fails):
    adapter = ocs()
    page = {"results": [], "next": "https://elsewhere.example/api/requestgroups/?offset=0"}
    adapter._web.ask = lambda path: json.dumps(page)
    assert fails(NotSent, adapter.statuses, [asked()]).match("more than 2000 groups with 'early_s")


@pytest.mark.parametrize("answer", ["", "[]", '{"results": [1]}', '{"results": [], "next": 5}'])
def test_a_list_of_another_form_is_an_error_there(ocs, asked, fails, answer):
    adapter = ocs()
    adapter._web.ask = lambda path: answer
    assert fails(NotSent, adapter.statuses, [asked()]).match("which cannot be read")


def test_a_dry_run_of_another_form_is_an_error(ocs, asked, fails):
    adapter = ocs()
    for answer in ("<html>", "[1]", "{}", '{"errors": {}, "request_durations": {"duration": "x"}}'):
        adapter._web.ask = lambda path, json, accepted, answer=answer: answer
        assert fails(NotSent, adapter.validate, asked()).match("which cannot be read")
