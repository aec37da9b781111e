"""What a running stream tells a Prometheus server: counts, and whether its model is up to date."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Info, start_http_server

from fink_al.errors import SettingsError

#: Of its own: the process has figures enough elsewhere.
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


def count_batch(counts: Mapping[str, int]) -> None:
    """Add a published micro-batch that came to `counts`."""
    _batches.inc()
    for name, counter in _counts.items():
        counter.inc(counts[name])


@contextmanager
def serving(port: int | None) -> Iterator[None]:
    """Answer on `port` of this machine, and of no other; None: nowhere.

    Raises
    ------
    SettingsError
        If the port cannot be had.
    """
    if port is None:
        yield
        return
    try:
        server, thread = start_http_server(port, "127.0.0.1", REGISTRY)
    except OSError as error:
        raise SettingsError(
            f"stream.metrics_port: port {port} cannot be had ({error.strerror}): name a free one, "
            "one a stream, or null for none."
        ) from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
