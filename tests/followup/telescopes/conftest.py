"""Requests, a stand-in for telescopes, and both adapters that speak HTTP."""

import logging
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from fink_al.demo.standin import StandIn
from fink_al.followup.telescopes import Request
from fink_al.followup.telescopes.aocs import Aocs
from fink_al.followup.telescopes.ocs import Ocs
from fink_al.settings import AocsRequests, OcsRequests, load_telescope

USER, PASSWORD, TOKEN = "observer", 'pa55:"w/rd', "t0ken-4711"
SECRETS = (PASSWORD, "pa55", TOKEN, b64encode(f"{USER}:{PASSWORD}".encode()).decode())
NOW = datetime(2026, 1, 10, 8, tzinfo=UTC)
REQUEST = Request(
    request_id="early_snia-20260110-ZTF26aaaaaaa",
    telescope_id=None,
    object_id="ZTF26aaaaaaa",
    ra=150.1,
    dec=-20.2,
    mag=19.03,
    mag_err=0.12,
    opens=NOW.replace(hour=10),
    closes=NOW.replace(hour=18),
    begins=NOW.replace(hour=12),
    minutes=40.0,
    exposures=2,
    exposure_s=899.5,
    list=20260110,
    rank=3,
    pi=1.7,
    priority=0.01,
    tau=0.02,
    odds=0.5,
    why="close to the threshold",
)


@pytest.fixture
def asked():
    """Makes a request; keywords replace its fields, and `n` tells requests apart."""

    def make(n=None, **changes):
        if n is not None:
            changes["request_id"] = f"{REQUEST.request_id}-{n}"
        return replace(REQUEST, **changes)

    return make


@pytest.fixture
def stand_in():
    """A telescope's server."""
    with StandIn(USER, PASSWORD, TOKEN, ["1234"], slow_s=0.9, now=lambda: NOW) as running:
        yield running


@pytest.fixture
def aocs(stand_in):
    """Makes an adapter of the forms; keywords are settings."""

    def make(*, secret=PASSWORD, patience_s=10.0, **how):
        settings = {"adapter": "aocs", "url": stand_in.forms_url, "proposal": "1234"}
        return Aocs(
            "anu_2m3",
            AocsRequests.model_validate(settings | how),
            USER,
            ("FINK_AL_TELESCOPE_ANU_2M3_PASSWORD", secret),
            patience_s=patience_s,
            sleep=lambda seconds: None,
        )

    return make


@pytest.fixture
def ocs(stand_in):
    """Makes an adapter of OCS; keywords are settings."""

    def make(*, secret=TOKEN, patience_s=10.0, **how):
        settings = {"adapter": "ocs", "url": stand_in.url, "proposal": "1234"}
        return Ocs(
            "lco_2m",
            OcsRequests.model_validate(settings | how),
            load_telescope("lco_2m").limits,
            ("FINK_AL_TELESCOPE_LCO_2M_TOKEN", secret),
            patience_s=patience_s,
            sleep=lambda seconds: None,
        )

    return make


@pytest.fixture(params=["aocs", "ocs"])
def either(request):
    """Makes an adapter of one of both interfaces."""
    return request.getfixturevalue(request.param)


@pytest.fixture(autouse=True)
def _no_secret_in_a_log(caplog):
    caplog.set_level(logging.DEBUG)
    yield
    assert not any(secret in caplog.text for secret in SECRETS)


@pytest.fixture
def fails():
    """Expects an error of exactly one kind, with one sentence and without secrets."""

    def expect(kind, call, *arguments):
        with pytest.raises(kind) as caught:
            call(*arguments)
        error = caught.value
        assert type(error) is kind
        for text in (str(error), error.answer, repr(error.__cause__), repr(error.__context__)):
            assert not any(secret in text for secret in SECRETS)
        assert "\n" not in str(error)
        assert str(error).endswith(".")
        return caught

    return expect
