"""Differences between the surveys that the demo shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fink_al.simulation import lsst_packets, packets
from fink_al.simulation.nights import Campaign


@dataclass(frozen=True)
class Shown:
    """A survey as the demo shows it.

    Parameters
    ----------
    target : str
        Name of a file of ``conf/targets``.
    topic : str
        Topic of the alerts; ``{night}`` stands for the night if each night has its own topic.
    packets : callable
        Makes a night's packets.
    settings : callable
        Takes the demo's folder and returns the survey settings that the demo needs.
    telescope : str
        Name of a file of ``conf/telescopes``.
    """

    target: str
    topic: str
    packets: Callable[[Campaign, int], Iterator[bytes]]
    settings: Callable[[Path], dict[str, Any]]
    telescope: str


def _schemas_of_the_simulation(folder: Path) -> dict[str, Any]:
    lsst_packets.write_schema(folder / "schemas")
    places = {"folder": str(folder / "schemas"), "registry": None, "package": None}
    return {"schemas": places}


SURVEYS = {
    "ztf": Shown(
        target="early_snia",
        topic="ztf_{night}_programid1",
        packets=packets.packets,
        settings=lambda folder: {},
        telescope="example_8m",
    ),
    "lsst": Shown(
        target="early_snia_lsst",
        topic="lsst-alerts-v11.0",
        packets=lsst_packets.packets,
        settings=_schemas_of_the_simulation,
        telescope="example_8m",
    ),
}
