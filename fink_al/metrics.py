"""Metrics of a running stream for a Prometheus server: counts and the state of its model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Info, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from fink_al.errors import SettingsError

#: Separate from the default registry, which holds other metrics of the process.
REGISTRY = CollectorRegistry()

registry_reachable = Gauge(
    "fink_al_registry_reachable",
    "Whether the model registry gave the champion when it was last asked.",
    registry=REGISTRY,
)
models_refused = Counter(
    "fink_al_models_refused",
    "Champions that could not be loaded, each once: the former model goes on scoring.",
    registry=REGISTRY,
)
champion = Info("fink_al_champion", "Model version that scores.", registry=REGISTRY)
_batches = Counter("fink_al_batches", "Micro-batches published.", registry=REGISTRY)
_counts = {
    "scored": Counter("fink_al_alerts_scored", "Alerts with a probability.", registry=REGISTRY),
    "candidates": Counter("fink_al_candidates", "Candidates published.", registry=REGISTRY),
    "dead_letters": Counter("fink_al_dead_letters", "Packets not understood.", registry=REGISTRY),
}


class LastAudit(Collector):
    """Number of faults that the last audit named; nothing before the first.

    Parameters
    ----------
    ask : callable
        Returns the audited night and the number, or None. Audits are other processes, so it is
        called whenever the metrics are read.
    """

    def __init__(self, ask: Callable[[], tuple[int, int] | None]):
        self._ask = ask

    def collect(self) -> Iterator[GaugeMetricFamily]:
        faults = GaugeMetricFamily(
            "fink_al_audit_faults",
            "Faults that the last audit named; 0 if the night adds up.",
            labels=["night"],
        )
        if last := self._ask():
            faults.add_metric([str(last[0])], last[1])
        yield faults


def count_batch(counts: Mapping[str, int]) -> None:
    """Add the `counts` of a published micro-batch."""
    _batches.inc()
    for name, counter in _counts.items():
        counter.inc(counts[name])


@contextmanager
def serving(
    port: int | None, last_audit: Callable[[], tuple[int, int] | None] = lambda: None
) -> Iterator[None]:
    """Serve the metrics on `port` of this machine only, or not at all if None.

    Parameters
    ----------
    port : int or None
        The port.
    last_audit : callable, optional
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
    audits = LastAudit(last_audit)
    REGISTRY.register(audits)
    try:
        yield
    finally:
        REGISTRY.unregister(audits)
        server.shutdown()
        server.server_close()
        thread.join()
