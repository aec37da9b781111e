"""What Prometheus gets, and who may ask."""

import socket
from urllib.request import urlopen

import pytest

from fink_al import metrics
from fink_al.errors import SettingsError


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def figures(port: int) -> dict[str, float]:
    """What is served, without the times at which counters began."""
    with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    told = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in told.items() if "_created" not in name}


def test_a_batch_is_added_to_what_is_served():
    metrics.champion.labels("snia").info({"version": "7"})
    metrics.registry_reachable.labels("snia").set(1)
    port = free_port()
    with metrics.serving(port):
        before = figures(port)
        metrics.count_batch(1, {"snia": (5, 2), "odd": (4, 0)})
        after = figures(port)
    changed = {name: after[name] - before.get(name, 0) for name in after}
    assert {name: change for name, change in changed.items() if change} == {
        "fink_al_batches_total": 1,
        'fink_al_alerts_scored_total{target="snia"}': 5,
        'fink_al_alerts_scored_total{target="odd"}': 4,
        'fink_al_candidates_total{target="snia"}': 2,
        "fink_al_dead_letters_total": 1,
    }
    assert after['fink_al_champion_info{target="snia",version="7"}'] == 1
    assert after['fink_al_registry_reachable{target="snia"}'] == 1
    with pytest.raises(OSError, match="refused"):
        figures(port)


def test_the_last_audit_is_served_once_there_is_one():
    port, served, last = free_port(), [], []
    with metrics.serving(port, {"snia": lambda: last[-1] if last else None, "odd": lambda: None}):
        for audited in ((20260105, 3), (20260106, 0), (20260106, 0)):
            served.append({n: v for n, v in figures(port).items() if "audit" in n})
            last.append(audited)
    assert served == [
        {},
        {'fink_al_audit_faults{night="20260105",target="snia"}': 3},
        {'fink_al_audit_faults{night="20260106",target="snia"}': 0},
    ]


def test_only_this_machine_is_answered():
    port = free_port()
    with metrics.serving(port), socket.socket() as other:
        other.bind(("127.0.0.2", port))  # free: it does not listen on every address


def test_a_port_in_use_is_said_before_the_stream_starts():
    port = free_port()
    said = rf"stream\.metrics_port: port {port} cannot be opened"
    with metrics.serving(port), pytest.raises(SettingsError, match=said), metrics.serving(port):
        pass


def test_without_a_port_nothing_is_served():
    with metrics.serving(None):
        pass
