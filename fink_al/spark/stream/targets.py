"""The targets of a running stream: state of each, and those that are left out for now."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence

from pyspark.sql import SparkSession

from fink_al import metrics
from fink_al.errors import FinkAlError, ServiceError
from fink_al.followup.messages import CandidateWriter
from fink_al.kafka.cluster import Cluster
from fink_al.loop import Loop
from fink_al.loops import Loops
from fink_al.spark.judge import Science
from fink_al.spark.stream.known import Labelled
from fink_al.spark.stream.ledger import Ledger
from fink_al.spark.stream.part import Part
from fink_al.spark.stream.sink import Turn
from fink_al.spark.stream.state import State

log = logging.getLogger(__name__)

#: Seconds after which targets that were left out are tried again.
_AGAIN_S = 60.0
#: At the start a target whose services do not answer is tried again so often, after so long [s].
_PATIENCE, _PAUSE_S = 6, 10.0


class Targets:
    """States of the targets that run, by name.

    Parameters
    ----------
    spark : SparkSession
        Session to run in.
    loops : Loops
        Loops of the stream's targets.
    sink : Cluster
        Cluster of the candidates' topics.
    ledger : Ledger
        Scores of the lists.

    Raises
    ------
    ServiceError, ModelError
        If no target can run, or the label store is out of reach.
    """

    def __init__(self, spark: SparkSession, loops: Loops, sink: Cluster, ledger: Ledger):
        self._spark, self._sink, self._ledger = spark, sink, ledger
        self._labelled = Labelled(spark, loops.running)
        self._states: dict[str, State] = {}
        self._writers: dict[str, CandidateWriter] = {}
        self._waiting = {loop.target.name: loop for loop in loops.running}
        for name in loops.left_out:
            metrics.left_out.labels(name).set(1)
        faults = self._join()
        for _ in range(_PATIENCE):
            # What comes while a target is left out is never drawn for it: an outage may be short.
            if not self._states or not any(isinstance(f, ServiceError) for f in faults.values()):
                break
            time.sleep(_PAUSE_S)
            faults = self._join()
        if not self._states:
            raise next(iter(faults.values()))
        self._tried = time.monotonic()

    def sciences(self) -> list[Science]:
        """Settings, model and state of each target, for the next batch."""
        if self._waiting and time.monotonic() - self._tried > _AGAIN_S:
            self._join()
            self._tried = time.monotonic()
        self._labelled.refresh()
        return [state.science() for state in self._states.values()]

    def load_lists(self, part: Part) -> bool:
        """Load the lists of `part` that are not remembered; return whether it changes any draw."""
        # Each is loaded, so that a batch is computed again once at most.
        return any([self._states[n].load_lists(s.lists) for n, s in part.targets.items()])

    def turns(self, part: Part, sciences: Sequence[Science]) -> dict[str, Turn]:
        """Return the decisions for each target of `part`, which `sciences` judged."""
        made = {}
        for science in sciences:
            loop, name = science.loop, science.loop.target.name
            lists = part.targets[name].lists
            record = {
                "model_version": science.champion.version if science.champion else None,
                "draw": self._states[name].draw_record(lists, science.strategy),
            }
            topic, writer = loop.target.candidates_topic, self._writers[name]
            made[name] = Turn(name, loop.features.hash, topic, writer, record)
        return made

    def add_lists(
        self,
        part: Part,
        published: Mapping[str, Mapping[int, list[int]]],
        sciences: Sequence[Science],
    ) -> None:
        """Remember the objects of a published part, and which of them were published."""
        for science in sciences:
            name = science.loop.target.name
            lists = part.targets[name].lists
            self._states[name].add_lists(lists, published[name], science.strategy)

    def _join(self) -> dict[str, FinkAlError]:
        """Let waiting targets run; return what is wrong with those that cannot."""
        faults: dict[str, FinkAlError] = {}
        are_alone = len(self._waiting) + len(self._states) == 1
        for name, loop in list(self._waiting.items()):
            try:
                self._states[name] = self._state(loop)
            except FinkAlError as error:
                faults[name] = error
                metrics.left_out.labels(name).set(1)
                if not are_alone:
                    log.error("Target '%s' is left out for now: %s", name, error)
                continue
            del self._waiting[name]
            metrics.left_out.labels(name).set(0)
            if self._states.keys() - {name}:
                log.info("Target '%s' runs, too", name)
        return faults

    def _state(self, loop: Loop) -> State:
        target = loop.target
        self._labelled.check(target.name)
        self._sink.create_topic(target.candidates_topic)
        self._writers[target.name] = CandidateWriter(loop.alerts, loop.features)
        return State(self._spark, loop, self._ledger.thresholds[target.name], self._labelled)
