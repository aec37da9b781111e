"""The page to take along: whole, safe, and honest about what it lacks."""

import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import pyarrow as pa
import pytest
from archive_files import put_rows
from simulated_lists import simulated_list

from fink_al.alerts.stamps import stamps
from fink_al.archive.reading import Archive
from fink_al.errors import AlertError, ServiceError
from fink_al.followup.plan.exposure import Weather
from fink_al.followup.plan.plan import PlanLimits
from fink_al.followup.plan.tonight import plan_tonight
from fink_al.loop import Loop
from fink_al.report.night_page import night_page
from fink_al.report.stamp_images import stamp_image
from fink_al.settings import load_settings, load_telescope
from fink_al.simulation.nights import simulate
from fink_al.simulation.packets import packets

simulated = pytest.fixture(simulated_list, scope="module")


@pytest.fixture(scope="module")
def loop(tmp_path_factory, simulated):
    night, rows = simulated
    settings = load_settings(
        work_dir=tmp_path_factory.mktemp("night"), starting_set=None, test_set=None
    )
    for column, value in (("topic", "alerts"), ("partition", 0), ("offset", 7)):
        if column not in rows.column_names:
            rows = rows.append_column(column, pa.array([value] * len(rows)))
    put_rows(Archive(settings.archive_dir), night, rows)
    opened = Loop.open(settings)
    opened.labels.store.make()
    return opened


@pytest.fixture(scope="module")
def packet():
    campaign = simulate(1, 50, seed=3)
    return next(iter(packets(campaign, campaign.nights[0])))


class Checker(HTMLParser):
    """Collects tags that stay open, and addresses of other files."""

    VOID = frozenset({"meta", "img", "link", "br"})

    def __init__(self):
        super().__init__()
        self.open, self.addresses = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag):
        while self.open and self.open[-1] != tag and self.open[-1] in ("p", "li", "td", "tr"):
            self.open.pop()
        assert self.open.pop() == tag


def page_of(loop, fetch, telescopes=("anu_2m3",), **options):
    tonight = plan_tonight(
        loop,
        chosen := [load_telescope(name) for name in telescopes],
        PlanLimits(method="heuristic", **options),
    )
    now = tonight.closes + timedelta(minutes=5)
    return tonight, night_page(loop, tonight, chosen, Weather(), fetch, now)


def test_a_page_has_each_object_and_needs_nothing_else(loop, packet):
    tonight, page = page_of(loop, lambda *where: packet, ("anu_2m3", "example_4m"))
    planned = tonight.plan.observations
    text = re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", page))
    for row in planned.to_dict("records"):
        assert text.count(row["object_id"]) == 2  # in the table, and with its curve
    assert page.count("<section>") == 2
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    assert checker.addresses
    assert all(a.startswith(("#", "data:image/png;base64,")) for a in checker.addresses)
    assert page.count("data:image/png;base64,") == 3 * len(planned)
    assert "The list is open" not in page


def test_a_page_says_why_there_are_no_cutouts(loop):
    asked = []

    def away(*where):
        asked.append(where)
        raise ServiceError("no broker")

    _, page = page_of(loop, away)
    assert "No cutouts: the alerts' topic cannot be read." in page.replace("&#39;", "'")
    assert len(asked) == 1
    assert "the topic does not have the packet any more" in page_of(loop, lambda *w: None)[1]
    assert "the packet cannot be read (empty)" in page_of(loop, lambda *w: b"")[1]


def test_a_name_that_is_code_is_text_on_the_page(loop, packet):
    tonight, _ = page_of(loop, lambda *w: packet)
    name = tonight.rows["object_id"][0]
    evil = "<script>alert(1)</script>"
    rows = tonight.rows.assign(object_id=tonight.rows["object_id"].replace(name, evil))
    observations = tonight.plan.observations
    plan = replace(
        tonight.plan,
        observations=observations.assign(
            object_id=observations["object_id"].replace(name, evil)
        ),
        left=tonight.plan.left.assign(object_id=tonight.plan.left["object_id"].replace(name, evil)),
    )  # fmt: skip
    changed = replace(tonight, listed=replace(tonight.listed, rows=rows), plan=plan)
    telescope = load_telescope()
    page = night_page(loop, changed, [telescope], Weather(), lambda *w: packet, changed.closes)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_damaged_cutouts_are_none(packet, loop):
    found = stamps(packet, loop.alerts, loop.survey)
    assert set(found) == {"science", "template", "difference"}
    assert stamp_image(found["science"]).startswith("data:image/png;base64,")
    assert stamp_image(b"no FITS") is None
    assert stamp_image(found["science"][:2900]) is None
    with pytest.raises(AlertError):
        stamps(packet[:1000], loop.alerts, loop.survey)
