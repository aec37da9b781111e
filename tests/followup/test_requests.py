"""From plan to requests and to their ends, with a telescope that does what a test tells it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from archive_files import put_rows
from simulated_lists import simulated_list

from fink_al.archive.reading import Archive
from fink_al.errors import FinkAlError, ServiceError
from fink_al.followup.plan.exposure import Weather
from fink_al.followup.plan.plan import PlanLimits
from fink_al.followup.plan.tonight import plan_tonight
from fink_al.followup.submit import submit
from fink_al.followup.sync import cancel, sync
from fink_al.followup.telescopes import InDoubt, NotSent, Quote, Receipt, Refused, Status
from fink_al.labels.label import Label
from fink_al.loop import Loop
from fink_al.requests.store import RequestStore
from fink_al.settings import AocsRequests, load_settings, load_telescope

simulated = pytest.fixture(simulated_list, scope="module")


@pytest.fixture
def loop(tmp_path, simulated):
    settings = load_settings(work_dir=tmp_path, starting_set=None, test_set=None)
    put_rows(Archive(settings.archive_dir), *simulated)
    opened = Loop.open(settings)
    opened.labels.store.make()
    return opened


def taking(name="anu_2m3", **limits):
    """A telescope that may be sent requests."""
    settings = AocsRequests(adapter="aocs", submit=True, **limits)
    return load_telescope().model_copy(update={"name": name, "requests": settings})


ANU = taking()


class Telescope:
    """Keeps what it gets; `answers` are what it does with the next submissions."""

    reports = True

    def __init__(self, *answers):
        self.answers, self.queue, self.sent, self.cancelled = list(answers), {}, [], []
        self.hidden, self.quote = set(), Quote(0.5, (), "fine")

    def validate(self, request):
        return self.quote

    def submit(self, request):
        self.sent.append(request.request_id)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception) and not isinstance(answer, InDoubt):
            raise answer
        self.queue[request.request_id] = Status("accepted", f"t{len(self.sent)}", None, "queued")
        if isinstance(answer, BaseException):
            raise answer
        return Receipt(f"t{len(self.sent)}", "taken")

    def statuses(self, requests):
        names = [request.request_id for request in requests]
        return {n: self.queue[n] for n in names if n in self.queue and n not in self.hidden}

    def cancel(self, request):
        if self.answers:
            raise self.answers.pop(0)
        self.cancelled.append(request.request_id)
        self.queue[request.request_id] = replace(self.queue[request.request_id], state="withdrawn")
        return Receipt(request.telescope_id, "cancelled")

    def end(self, name, state, observed=None):
        self.queue[name] = Status(state, "t", observed, state)


class Night:
    """A plan, its telescope, and the clock."""

    def __init__(self, loop, telescope=None, limits=None, settings=ANU):
        self.loop, self.telescope, self.settings = loop, telescope or Telescope(), settings
        self.tonight = plan_tonight(loop, [settings], limits or PlanLimits(method="heuristic"))
        self.time = self.tonight.closes
        self.announced = []

    def now(self):
        return self.time

    def submit(self, **options):
        adapters = {self.settings.name: self.telescope}
        return list(submit(self.loop, self.tonight, [self.settings], adapters, self.now, **options))

    def announce(self, record):
        self.announced.append(record.request_id)

    def sync(self):
        adapters = {self.settings.name: self.telescope}
        return sync(self.loop, [self.settings], adapters, self.announce, self.now)

    def states(self):
        current = RequestStore(self.loop.requests.folder).current().values()
        return {r.request_id: r.state for r in current if r.state != "drawn"}


@pytest.fixture
def night(loop):
    return Night(loop)


def label(record, type_, **changes):
    return Label(record.object_id, type_, "TNS", record.time, **changes)


def test_a_plan_becomes_requests_that_carry_its_odds(loop, night):
    sent = night.submit()
    planned = night.tonight.plan.observations
    assert [s.result for s in sent] == ["submitted"] * len(planned)
    assert [s.record.object_id for s in sent] == planned["object_id"].tolist()
    assert [s.record.odds for s in sent] == planned["odds"].tolist()
    assert {s.record.tau for s in sent} == set(night.tonight.plan.telescopes["tau"])
    assert all(s.record.exposures * s.record.exposure_s <= 60 * s.record.minutes for s in sent)
    assert all(s.record.opens <= s.record.begins < s.record.closes for s in sent)
    states = [[h.state for h in loop.requests.history(s.record.request_id)] for s in sent]
    assert states == [["planned", "submitting", "submitted"]] * len(sent)
    left = [r for r in loop.requests.current().values() if r.state == "drawn"]
    assert len(left) + len(sent) == len(night.tonight.rows)
    assert all(r.reason for r in left)
    assert {s.result for s in night.submit()} == {"skipped"}
    assert len(night.telescope.sent) == len(sent)


def test_a_dry_run_writes_and_sends_nothing(loop):
    for night, options in ((Night(loop), {"dry_run": True}),
                           (Night(loop, settings=load_telescope()), {})):  # fmt: skip
        assert {s.result for s in night.submit(**options)} == {"dry_run"}
        assert (night.telescope.sent, night.states()) == ([], {})
    assert not loop.requests.folder.local.exists()


@pytest.mark.parametrize(
    ("answer", "state", "others"),
    [
        (Refused("no such instrument", "WORDS"), "failed", "submitted"),
        (NotSent("401 Unauthorized", "WORDS"), "planned", "planned"),
        (InDoubt("half an answer", "WORDS"), "submitting", "submitted"),
    ],
)
def test_each_answer_has_its_state_and_is_kept(loop, answer, state, others):
    night = Night(loop, Telescope(answer))
    first, *rest = night.submit()
    assert first.record.state == night.states()[first.record.request_id] == state
    assert (first.record.reason, first.record.answer) == (str(answer), "WORDS")
    assert {s.record.state for s in rest} == {others}


def test_what_was_surely_not_sent_is_sent_again_and_what_is_in_doubt_is_not(loop):
    night = Night(loop, Telescope(InDoubt("half an answer"), NotSent("429")))
    doubtful, not_sent, *_ = night.submit()
    assert [not_sent.result, doubtful.result] == ["not_sent", "in_doubt"]
    again = night.submit()
    assert again[0].result == "skipped"
    assert again[1].result == "submitted"
    assert night.telescope.sent.count(doubtful.record.request_id) == 1
    assert night.telescope.sent.count(not_sent.record.request_id) == 2


def test_a_crash_while_sending_leaves_a_claim_that_the_list_settles(loop):
    night = Night(loop, Telescope(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        night.submit()
    name = night.telescope.sent[0]
    assert night.states()[name] == "submitting"
    assert night.submit()[0].result == "skipped"
    night.sync()
    assert night.states()[name] == "accepted"
    assert night.telescope.sent.count(name) == 1


def test_a_claim_that_is_in_no_list_is_told_and_never_sent_again(loop):
    night = Night(loop, Telescope(InDoubt("half an answer")))
    name = night.submit()[0].record.request_id
    night.telescope.hidden.add(name)
    assert not [t for t in night.sync().told if name in t]
    night.time += timedelta(hours=1)
    (told,) = [t for t in night.sync().told if name in t]
    assert f"fink-al requests cancel {name}" in told
    assert night.states()[name] == "submitting"
    assert night.submit()[0].result == "skipped"


def test_a_crash_at_each_write_never_asks_twice(loop, monkeypatch):
    """The store fails before and after each of its writes; then all is done again."""
    commit = RequestStore._commit
    for after in (False, True):
        for n in range(5):
            writes = 0

            def broken(self, *values, after=after, n=n):
                nonlocal writes
                writes += 1
                if writes == n + 1 and not after:
                    raise ServiceError("the storage is away")
                done = commit(self, *values)
                if writes == n + 1:
                    raise ServiceError("the storage is away")
                return done

            folder = loop.requests.folder.parent / f"requests-{after}-{n}"
            own = replace(loop)
            own.__dict__["requests"] = RequestStore(folder)
            night = Night(own)
            monkeypatch.setattr(RequestStore, "_commit", broken)
            with pytest.raises(ServiceError):
                night.submit()
            monkeypatch.setattr(RequestStore, "_commit", commit)
            night.submit()
            night.sync()
            asked = night.telescope.sent
            assert len(set(asked)) == len(asked)
            settled = [name for name, state in night.states().items() if state != "submitting"]
            assert sorted(asked) == sorted(settled)


def test_an_object_is_asked_for_once_under_any_name_and_list(loop, night):
    sent = [s.record for s in night.submit()]

    def elsewhere(current):
        # The same sky in another list: one has another name, 0.5 arcsec away.
        moved = replace(sent[0], object_id="other", dec=sent[0].dec + 0.5 / 3600)
        return [
            replace(one, list=20300101, request_id=f"later-{one.object_id}", state="planned")
            for one in (moved, sent[1])
        ]

    folder = loop.requests.folder.parent / "other requests"
    other = replace(loop)
    other.__dict__["requests"] = RequestStore(folder)
    again = Night(other)  # its plan does not know yet of the other list
    other.requests.change(lambda current: [one.now("submitted", night.time)
                                           for one in elsewhere(current)])  # fmt: skip
    first, second, *rest = again.submit()
    assert [first.result, second.result] == ["skipped", "skipped"]
    assert "was asked for already: later-other is submitted" in first.words
    assert {s.result for s in rest} == {"submitted"}


def test_hours_of_night_and_semester_are_kept(loop):
    short = taking(hours_a_night=1.5)
    night = Night(loop, settings=short)
    assert sum(night.tonight.plan.observations["minutes"]) <= 90
    night.submit()
    assert Night(loop, settings=short).tonight.plan.observations["minutes"].sum() <= 90
    for s in night.telescope.sent:
        night.telescope.end(s, "observed", night.time)
    night.sync()
    used = sum(r.minutes or 0 for r in loop.requests.current().values())
    rest = taking(hours_a_semester=used / 60 + 0.01)
    with pytest.raises(FinkAlError, match="hold no block"):
        Night(loop, settings=rest)
    with pytest.raises(FinkAlError, match="anu_2m3 has no hours left"):
        Night(loop, settings=taking(hours_a_semester=used / 60 - 0.01))


def test_a_type_that_comes_in_cancels_the_request_and_is_announced(loop, night):
    first, second, third, *_ = [s.record for s in night.submit()]
    night.sync()
    night.telescope.end(third.request_id, "observed", night.time)
    loop.labels.store.add([label(first, "SN Ia"), label(third, "SN II", list=third.list)])
    news = night.sync()
    states = night.states()
    assert [states[r.request_id] for r in (first, second, third)] == [
        "withdrawn", "accepted", "classified",
    ]  # fmt: skip
    assert night.telescope.cancelled == [first.request_id]
    assert night.announced == [first.request_id]
    current = loop.requests.current()
    assert current[first.request_id].reason == "SN Ia by TNS"
    assert current[first.request_id].type == "SN Ia"
    assert current[third.request_id].type == "SN II"
    assert {r.request_id for r in news.changed} == {first.request_id, third.request_id}
    # Both places in the list are settled: the plan of the rest keeps the odds of the others.
    again = Night(loop).tonight.plan
    taken = again.left[again.left["reason"] == "taken"]["object_id"].tolist()
    assert set(taken) == {first.object_id, third.object_id}


def test_what_has_a_type_is_not_asked_for(loop, night):
    first = night.tonight.plan.observations["object_id"][0]
    loop.labels.store.add([Label(first, "SN Ia", "TNS", night.time)])
    sent = night.submit()
    assert sent[0].result == "skipped"
    assert (sent[0].record.state, sent[0].words) == ("withdrawn", "its type is known: SN Ia by TNS")
    assert sent[0].record.request_id not in night.telescope.sent


def test_a_cancellation_that_fails_is_told_and_tried_again(loop, night):
    first = night.submit()[0].record
    night.sync()
    loop.labels.store.add([label(first, "SN Ia")])
    night.telescope.answers = [InDoubt("no answer")]
    (told,) = night.sync().told
    assert told == (
        f"{first.request_id} could not be closed (no answer): sync again later."
    )  # fmt: skip
    assert night.states()[first.request_id] == "accepted"
    assert night.announced == []
    assert night.sync().told == []
    assert night.states()[first.request_id] == "withdrawn"


def test_a_topic_that_is_away_keeps_the_request_open(loop, night):
    first = night.submit()[0].record
    loop.labels.store.add([label(first, "SN Ia")])
    announce, night.announce = night.announce, None

    def away(record):
        raise ServiceError("Kafka is away")

    night.announce = away
    assert "Kafka is away" in night.sync().told[0]
    night.announce = announce
    night.sync()
    assert night.states()[first.request_id] == "withdrawn"
    assert len(night.announced) == 1


def test_a_spectrum_without_a_label_is_asked_about_once(loop, night):
    first = night.submit()[0].record
    night.telescope.end(first.request_id, "observed", night.time)
    night.sync()
    night.time += timedelta(days=8)
    told = [t for t in night.sync().told if first.object_id in t]
    assert len(told) == 1
    assert "has no type: hand it in" in told[0]
    assert not [t for t in night.sync().told if first.object_id in t]
    spectrum = Label(first.object_id, "unclassified", "spectrum", first.time, list=first.list)
    loop.labels.store.add([spectrum])
    night.sync()
    last = loop.requests.current()[first.request_id]
    assert (last.state, last.type, last.bars) == ("classified", "unclassified", False)


def test_a_label_may_name_the_request_as_its_evidence(loop, night):
    first = night.submit()[0].record
    loop.labels.store.add([label(first, "SN Ib", evidence=first.request_id)])
    night.sync()
    assert night.states()[first.request_id] == "classified"


@pytest.mark.parametrize("state", ["failed", "expired", "withdrawn"])
def test_ends_at_the_telescope_end_the_odds_there(loop, night, state):
    sent = [s.record for s in night.submit()]
    best = min(sent, key=lambda record: record.rank)
    night.telescope.end(best.request_id, state)
    night.sync()
    assert night.states()[best.request_id] == state
    again = Night(loop).tonight.plan
    assert again.telescopes["tau"].item() <= best.priority
    assert again.observations["odds"].isna().all()
    filled = Night(loop, limits=PlanLimits(fill=True)).tonight.plan
    assert len(filled.observations)
    assert filled.observations["odds"].isna().all()
    assert best.object_id not in filled.observations["object_id"].tolist()


def test_a_night_that_is_over_closes_what_is_left(loop):
    night = Night(loop, Telescope(None, None, NotSent("no connection")))
    sent = night.submit()
    assert [s.result for s in sent[:3]] == ["submitted", "submitted", "not_sent"]
    night.time += timedelta(days=2)
    night.sync()
    states = night.states()
    assert set(states.values()) == {"expired"}
    assert sorted(night.telescope.cancelled) == sorted(night.telescope.sent[:2])
    # What was not in the plan stays as it was: drawn, and why it was not observed.
    assert all(r.reason for r in loop.requests.current().values() if r.state == "drawn")


def test_a_telescope_that_says_nothing_is_believed_by_labels(loop, night):
    night.telescope.reports = False
    first, second, *_ = [s.record for s in night.submit()]
    night.sync()
    night.time += timedelta(days=2)
    assert night.sync().told == []
    assert set(night.states().values()) == {"accepted"}  # and so not asked for again
    loop.labels.store.add([label(first, "SN Ia", list=first.list)])
    night.sync()
    last = loop.requests.current()[first.request_id]
    assert (last.state, last.type) == ("classified", "SN Ia")
    night.time += timedelta(days=7)
    (told,) = [text for text in night.sync().told if second.object_id in text]
    assert "was planned for anu_2m3 at " in told
    assert night.states()[second.request_id] == "expired"
    assert night.telescope.cancelled == []
    loop.labels.store.add([label(second, "SN II", evidence=second.request_id)])
    night.sync()
    assert night.states()[second.request_id] == "classified"


def test_a_spectrum_taken_elsewhere_for_the_list_cancels_the_telescopes_own(loop, night):
    first = night.submit()[0].record
    night.sync()
    loop.labels.store.add([label(first, "SN Ia", list=first.list)])
    night.sync()
    assert night.states()[first.request_id] == "classified"
    assert night.telescope.cancelled == [first.request_id]
    assert night.announced == []


def test_a_cancellation_that_broke_off_is_finished_although_the_list_forgets_it(loop, night):
    first = night.submit()[0].record
    night.sync()
    loop.labels.store.add([label(first, "SN Ia")])
    announce, night.announce = night.announce, lambda record: 1 / 0
    with pytest.raises(ZeroDivisionError):
        night.sync()
    assert night.telescope.cancelled == [first.request_id]
    night.telescope.hidden.add(first.request_id)
    night.announce = announce
    night.sync()
    assert night.states()[first.request_id] == "withdrawn"
    assert night.telescope.cancelled == night.announced == [first.request_id]


@pytest.mark.parametrize("answer", [None, InDoubt("half an answer")])
@pytest.mark.parametrize("more", [{}, {"list": True}])
def test_what_may_reach_the_list_yet_is_cancelled_once_it_is_there(loop, answer, more):
    night = Night(loop, Telescope(answer))
    first = night.submit()[0].record
    night.telescope.hidden.add(first.request_id)
    day = {"list": first.list} if more else {}
    loop.labels.store.add([label(first, "SN Ia", **day)])
    night.sync()
    assert night.states()[first.request_id] == first.state
    night.telescope.hidden.clear()
    night.sync()
    night.sync()
    assert night.telescope.cancelled == [first.request_id]
    assert night.states()[first.request_id] == ("classified" if more else "withdrawn")


def test_what_another_list_asked_for_gets_no_time(loop, night):
    sent = [s.record for s in night.submit()]
    old = [
        replace(one, list=20200101, request_id=f"old-{one.object_id}", state="observed")
        for one in sent[:2]
    ]
    other = replace(loop)
    other.__dict__["requests"] = RequestStore(loop.requests.folder.parent / "other")
    other.requests.change(lambda current: old)
    again = Night(other).tonight.plan
    names = {one.object_id for one in old}
    assert names.isdisjoint(again.observations["object_id"])
    assert set(again.left.set_index("object_id").loc[sorted(names), "reason"]) == {"taken"}


def test_an_object_stays_with_its_telescope_once_a_list_was_sent(loop, night):
    night.submit()
    mine = {r.object_id for r in loop.requests.current().values() if r.telescope == "anu_2m3"}
    big = load_telescope("example_8m").model_copy(update={"requests": ANU.requests})
    later = Night(loop, settings=big)
    planned = set(later.tonight.plan.observations["object_id"])
    assert planned
    assert mine.isdisjoint(planned)
    later.submit()
    owners = {r.object_id: r.telescope for r in loop.requests.current().values()}
    assert all(owners[name] == "anu_2m3" for name in mine)
    assert {owners[name] for name in planned} == {"example_8m"}
    # Worse seeing takes objects from the plan, not from the telescope's part.
    poor = Night(loop, limits=PlanLimits(weather=Weather(6.0, 1.0), method="heuristic"))
    reasons = poor.tonight.plan.left.set_index("object_id")
    assert set(reasons.loc[sorted(mine & set(reasons.index)), "telescope"]) == {"anu_2m3"}


def test_a_telescope_that_is_dry_gets_no_records(loop):
    dry = load_telescope("example_4m")
    adapters = {"anu_2m3": Telescope(), "example_4m": Telescope()}
    night = Night(loop)
    tonight = plan_tonight(loop, [ANU, dry], PlanLimits(method="heuristic"))
    sent = list(submit(loop, tonight, [ANU, dry], adapters, night.now))
    assert {s.result for s in sent if s.record.telescope == "example_4m"} == {"dry_run"}
    assert {r.telescope for r in loop.requests.current().values()} <= {"anu_2m3", None}
    at_anu = {s.record.object_id for s in sent if s.result == "submitted"}
    assert at_anu
    dry_run = {s.record.object_id: s.result for s in night.submit(dry_run=True)}
    assert {dry_run[name] for name in at_anu & dry_run.keys()} == {"skipped"}


def test_what_another_process_planned_again_is_not_sent(loop, night, monkeypatch):
    validate = night.telescope.validate

    def meanwhile(request):
        def decide(current):
            record = current[request.request_id]
            return [record.now("planned", night.time, telescope="other")]

        loop.requests.change(decide)
        return validate(request)

    night.telescope.validate = meanwhile
    assert {s.words for s in night.submit()} == {"was planned again by another process"}
    assert night.telescope.sent == []


def test_a_refused_cancellation_by_a_person_changes_nothing(loop, night):
    first = night.submit()[0].record
    night.telescope.answers = [Refused("it is being observed", "WORDS")]
    how = (night.telescope, night.announce, night.now, "withdrawn", "by me")
    with pytest.raises(Refused):
        cancel(loop.requests, first, *how)
    last = loop.requests.current()[first.request_id]
    assert (last.state, last.answer) == ("submitted", "WORDS")
    assert last.reason == "could not be cancelled: it is being observed"
    after = cancel(loop.requests, last, *how)
    assert (after.state, after.reason, after.bars) == ("withdrawn", "by me", False)


def test_requests_at_a_telescope_that_is_not_asked_are_named(loop, night):
    night.submit()
    other = taking("other")
    (told,) = sync(loop, [other], {"other": Telescope()}, night.announce, night.now).told
    assert told.endswith("requests are open at anu_2m3, which was not asked: add --telescope "
                         "anu_2m3.")  # fmt: skip
