"""Metrics of a running stream for a Prometheus server: counts and the state of its model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from prometheus_client import CollectorRegistry, Counter, Gauge, Info, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from fink_al.errors import SettingsError

#: Separate from the default registry, which holds other metrics of the process.
REGISTRY = CollectorRegistry()

registry_reachable = Gauge(
    "fink_al_registry_reachable",
    "Whether the model registry gave the champion when it was last asked.",
    ["target"],
    registry=REGISTRY,
)
models_refused = Counter(
    "fink_al_models_refused",
    "Champions that could not be loaded, each once: the former model goes on scoring.",
    ["target"],
    registry=REGISTRY,
)
champion = Info("fink_al_champion", "Model version that scores.", ["target"], registry=REGISTRY)
left_out = Gauge(
    "fink_al_target_left_out",
    "Whether a target does not run, as its model, topic or settings are broken: the log says why.",
    ["target"],
    registry=REGISTRY,
)
judge_failed = Counter(
    "fink_al_alerts_judge_failed",
    "Alerts that a target's judge failed on: the workers' log says why.",
    ["target"],
    registry=REGISTRY,
)
_batches = Counter("fink_al_batches", "Micro-batches published.", registry=REGISTRY)
_dead_letters = Counter("fink_al_dead_letters", "Packets not understood.", registry=REGISTRY)
_scored = Counter(
    "fink_al_alerts_scored", "Alerts with a probability.", ["target"], registry=REGISTRY
)
_candidates = Counter("fink_al_candidates", "Candidates published.", ["target"], registry=REGISTRY)


_NONE: Mapping[str, Callable[[], tuple[int, int] | None]] = MappingProxyType({})


class LastAudit(Collector):
    """Number of faults that the last audit of each target named; nothing before the first.

    Parameters
    ----------
    ask : mapping of str to callable
        Returns the audited night and the number, or None, by target. Audits are other processes, so
        it is called whenever the metrics are read.
    """

    def __init__(self, ask: Mapping[str, Callable[[], tuple[int, int] | None]]):
        self._ask = ask

    def collect(self) -> Iterator[GaugeMetricFamily]:
        faults = GaugeMetricFamily(
            "fink_al_audit_faults",
            "Faults that the last audit named; 0 if the night adds up.",
            labels=["night", "target"],
        )
        for target, ask in self._ask.items():
            if last := ask():
                faults.add_metric([str(last[0]), target], last[1])
        yield faults


def count_batch(dead_letters: int, targets: Mapping[str, tuple[int, int]]) -> None:
    """Add a published micro-batch.

    Parameters
    ----------
    dead_letters : int
        Number of packets that could not be read.
    targets : mapping of str to tuple of int
        Alerts with a probability, and candidates, by target.
    """
    _batches.inc()
    _dead_letters.inc(dead_letters)
    for name, (scored, candidates) in targets.items():
        _scored.labels(name).inc(scored)
        _candidates.labels(name).inc(candidates)


@contextmanager
def serving(
    port: int | None, last_audits: Mapping[str, Callable[[], tuple[int, int] | None]] = _NONE
) -> Iterator[None]:
    """Serve the metrics on `port` of this machine only, or not at all if None.

    Parameters
    ----------
    port : int or None
        The port.
    last_audits : mapping of str to callable, optional
        As for :class:`LastAudit`.

    Raises
    ------
    SettingsError
        If the port cannot be opened.
    """
    if port is None:
        yield
        return
    try:
        server, thread = start_http_server(port, "127.0.0.1", REGISTRY)
    except OSError as error:
        raise SettingsError(
            f"stream.metrics_port: port {port} cannot be opened ({error.strerror}): choose a "
            "free one for each stream, or null for no metrics."
        ) from None
    audits = LastAudit(last_audits)
    REGISTRY.register(audits)
    try:
        yield
    finally:
        REGISTRY.unregister(audits)
        server.shutdown()
        server.server_close()
        thread.join()
