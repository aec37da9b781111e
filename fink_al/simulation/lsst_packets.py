"""Simulated LSST packets: a schema's number and one Avro record, about 108 kB each."""

from __future__ import annotations

import io
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
import pandas as pd

from fink_al.alerts.confluent import PREFIX_BYTES, framed
from fink_al.alerts.lsst import FLUXCAL_OF_NJY
from fink_al.simulation.fits import hdu
from fink_al.simulation.lsst_packet_schema import (
    FORCED_FIELDS,
    MOVING_FIELDS,
    OBJECT_FIELDS,
    SCHEMA_ID,
    SOURCE_FIELDS,
    lsst_schema,
    record,
)
from fink_al.simulation.nights import Campaign

_BANDS = "ugrizy"
_NJY = 1 / FLUXCAL_OF_NJY  # of one FLUXCAL
_PROCESSED_DAYS, _FORCED_DAYS = 60 / 86400, 0.5  # after the exposure
_MOVING = "ss"  # prefix of object ids of the solar system
_FIRST_FORCED_ID = 2**57

_STAMPS, _STAMP_SIDE = 32, 30
_PSF_SIDE, _WIDE_PSF_SIDE = 41, 49  # half of the real templates have the wide one

_SOURCE, _FORCED, _OBJECT, _SS_SOURCE = (
    fastavro.parse_schema(record(name, fields))
    for name, fields in (
        ("diaSource", SOURCE_FIELDS),
        ("diaForcedSource", FORCED_FIELDS),
        ("diaObject", OBJECT_FIELDS),
        ("ssSource", MOVING_FIELDS),
    )
)


def _blank(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return empty values of `fields`: null, false for a flag, 0 where null is invalid."""
    # Naming the branch of a union spares fastavro the search for it: twice as fast.
    blank: dict[str, Any] = {}
    for name, kind in fields:
        is_flag = kind == ["null", "boolean"]
        blank[name] = ("boolean", False) if is_flag else ("null", None) if kind[0] == "null" else 0
    return blank


#: Values that all sources share: the middle of the middle detector, a point-like image.
_ANY_SOURCE = _blank(SOURCE_FIELDS) | {
    "detector": 94,
    "parentDiaSourceId": ("long", 0),
    "raErr": ("float", 1e-5),
    "decErr": ("float", 1e-5),
    "ra_dec_Cov": ("float", 0.0),
    "x": 2036.0,
    "y": 2000.0,
    "xErr": ("float", 0.1),
    "yErr": ("float", 0.1),
    "psfChi2": ("float", 1681.0),
    "psfNdata": 1681,
    "dipoleFitAttempted": ("boolean", True),
    "ixx": ("float", 0.2),
    "iyy": ("float", 0.2),
    "ixy": ("float", 0.0),
    "ixxPSF": ("float", 0.2),
    "iyyPSF": ("float", 0.2),
    "ixyPSF": ("float", 0.0),
    "bboxSize": 20,
}
_ANY_FORCED = _blank(FORCED_FIELDS) | {"detector": 94}
_ANY_OBJECT = _blank(OBJECT_FIELDS) | {
    "raErr": ("float", 1e-5),
    "decErr": ("float", 1e-5),
    "ra_dec_Cov": ("float", 0.0),
}
_ANY_MOVING = _blank(MOVING_FIELDS)

#: Flags of bad pixels, set in this order.
_BAD_PIXELS = [
    f"pixelFlags_{name}"
    for name in (
        "suspectCenter", "crCenter", "saturatedCenter", "streakCenter", "nodataCenter", "bad",
        "edge", "offimage",
    )
]  # fmt: skip


def packets(campaign: Campaign, night: int) -> Iterator[bytes]:
    """Yield the night's packets, in time order.

    Fields that are not modelled are null or a plausible constant. Cutouts are taken in turn from
    a few dozen: noise with a host and a source, whose brightness is not the alert's. An object
    whose id begins with ``ss`` belongs to the solar system and has no history.

    Parameters
    ----------
    campaign : Campaign
        Alerts and their histories. Times are TAI, bands are indices into ugrizy, and every exposure
        has a flux and its error [FLUXCAL].
    night : int
        YYYYMMDD, one of ``campaign.nights``.
    """
    alerts = campaign.alerts[campaign.alerts["night"] == night]
    points = campaign.points
    needed = np.zeros(len(points), bool)
    for first, point in zip(alerts["first"], alerts["point"], strict=True):
        needed[first : point + 1] = True
    band, is_seen = points["band"].to_numpy(), (points["alert_id"] >= 0).to_numpy()
    is_detected = points["n_detections"].to_numpy() > 0
    owner = points["object"].to_numpy()[alerts["point"]]
    ids = dict(zip(owner.tolist(), alerts["object_id"], strict=True))
    # Encoding histories takes most of the time, and an object's alerts share theirs.
    sources, forced = {}, {}
    for row in _rows(points[needed].rename_axis("row").reset_index()):
        object_id = ids[row["object"]]
        if row["alert_id"] >= 0:
            sources[row["row"]] = _encode(_SOURCE, _source(row, object_id))
        if not object_id.startswith(_MOVING):
            forced[row["row"]] = _encode(_FORCED, _forced_point(row, object_id))
    for number, alert in enumerate(_rows(alerts)):
        first, point = alert["first"], alert["point"]
        if alert["object_id"].startswith(_MOVING):
            middle = [_NULL, _NULL, _NULL, _SOME, _encode(_SS_SOURCE, _moving(alert))]
        else:
            history = [sources[row] for row in range(first, point) if is_seen[row]]
            is_forced = is_detected[first : point + 1]
            counts = np.bincount(band[first : point + 1][is_seen[first : point + 1]], minlength=6)
            middle = [
                # As in real packets: null for no history, an empty list for no forced photometry.
                _array(history) if history else _NULL,
                _array([forced[row] for row in first + np.flatnonzero(is_forced)]),
                _SOME, _encode(_OBJECT, _object(alert, counts.tolist())),
                _NULL,
            ]  # fmt: skip
        head = [_encode("long", alert["alert_id"]), _NULL, _NULL, sources[point]]
        body = [*head, *middle, _NULL, _cutouts()[number % _STAMPS]]
        yield framed(SCHEMA_ID, b"".join(body))


def write_schema(folder: Path) -> Path:
    """Write the packets' schema into `folder`, under the name that a reader looks for.

    With ``schemas.folder`` set to that folder, the packets are read without a registry.
    """
    schema = lsst_schema()
    file = Path(folder) / f"{schema['name']}.avsc"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(schema), "utf-8")
    return file


def replicate(originals: Sequence[bytes], n: int) -> Iterator[bytes]:
    """Yield `n` copies of `originals` in turn, each with its own object id and alert id.

    For load tests: new ids are written over the old ones, which have the same length. Histories
    keep the ids of their sources.
    """
    schema = fastavro.parse_schema(lsst_schema())
    sources = []
    for packet in originals:
        body = io.BytesIO(packet[PREFIX_BYTES:])
        alert: Any = fastavro.schemaless_reader(body, schema, None)
        owner = alert["diaObject"] or alert["ssSource"]
        codes = {
            _encode("long", number)
            for number in (alert["diaSourceId"], owner.get("diaObjectId") or owner["ssObjectId"])
        }
        places = [
            (match.start(), len(code))
            for code in codes
            for match in re.finditer(re.escape(code), packet)
        ]
        sources.append((packet, places))
    for i, (packet, places) in zip(range(n), itertools.cycle(sources), strict=False):
        new_codes = {length: _encode("long", _smallest(length) + i) for _, length in places}
        new = bytearray(packet)
        for place, length in places:
            new[place : place + length] = new_codes[length]
        yield bytes(new)


def _smallest(n_bytes: int) -> int:
    """Return the smallest id of `n_bytes` bytes in Avro: 7 bits in each, one for the sign."""
    return 1 << (7 * (n_bytes - 1) - 1)


def _rows(frame: pd.DataFrame) -> Any:
    return frame.to_dict("records")


def _encode(schema: Any, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, value)
    return out.getvalue()


#: First bytes of a value of a union: its branch null, and its other branch.
_NULL, _SOME = _encode("long", 0), _encode("long", 1)


def _array(items: list[bytes]) -> bytes:
    """Encode `items` as the array of a union's second branch."""
    end = _encode("long", 0)
    return b"".join([_SOME, _encode("long", len(items)), *items, end] if items else [_SOME, end])


def _source(row: dict[str, Any], object_id: str) -> dict[str, Any]:
    """Return a detection as a record of ``diaSource``."""
    flux, error = row["flux"] * _NJY, row["flux_err"] * _NJY
    moving = object_id.startswith(_MOVING)
    number = ("long", int(object_id.removeprefix(_MOVING)))
    return (
        _ANY_SOURCE
        | {
            "diaSourceId": row["alert_id"],
            "visit": row["exposure_id"],
            "ssObjectId" if moving else "diaObjectId": number,
            "midpointMjdTai": row["mjd"],
            "ra": row["ra"],
            "dec": row["dec"],
            "apFlux": ("float", flux),
            "apFluxErr": ("float", 2.5 * error),
            "isNegative": ("boolean", not row["is_positive"]),
            "snr": ("float", abs(flux) / error),
            "psfFlux": ("float", flux),
            "psfFluxErr": ("float", error),
            "extendedness": ("float", 1 - row["classtar"]),
            "reliability": ("float", row["real_bogus"]),
            "band": ("string", _BANDS[row["band"]]),
            "timeProcessedMjdTai": row["mjd"] + _PROCESSED_DAYS,
        }
        | dict.fromkeys(_BAD_PIXELS[: row["n_bad_pixels"]], ("boolean", True))
    )


def _forced_point(row: dict[str, Any], object_id: str) -> dict[str, Any]:
    """Return an exposure of an object, detected or not, as a record of ``diaForcedSource``."""
    return _ANY_FORCED | {
        "diaForcedSourceId": _FIRST_FORCED_ID + row["row"],
        "diaObjectId": int(object_id),
        "ra": row["ra"],
        "dec": row["dec"],
        "visit": row["exposure_id"],
        "psfFlux": ("float", row["flux"] * _NJY),
        "psfFluxErr": ("float", row["flux_err"] * _NJY),
        "midpointMjdTai": row["mjd"],
        "band": ("string", _BANDS[row["band"]]),
        "timeProcessedMjdTai": row["mjd"] + _FORCED_DAYS,
    }


def _object(alert: dict[str, Any], counts: list[int]) -> dict[str, Any]:
    """Return the record of the alert's object; `counts` are its detections by band."""
    return (
        _ANY_OBJECT
        | {
            "diaObjectId": int(alert["object_id"]),
            "validityStartMjdTai": alert["mjd"] + _PROCESSED_DAYS,
            "ra": alert["ra"],
            "dec": alert["dec"],
            "firstDiaSourceMjdTai": ("double", alert["first_detection_mjd"]),
            "lastDiaSourceMjdTai": ("double", alert["mjd"]),
            "nDiaSources": int(alert["n_detections"]),
        }
        | {f"{band}_psfFluxNdata": n for band, n in zip(_BANDS, counts, strict=True)}
    )


def _moving(alert: dict[str, Any]) -> dict[str, Any]:
    """Return the record of the solar-system object that the alert was attributed to."""
    moving = _ANY_MOVING | {
        "diaSourceId": alert["alert_id"],
        "ssObjectId": int(alert["object_id"].removeprefix(_MOVING)),
    }
    offset = alert["asteroid_distance_arcsec"]
    return moving | {"ephOffset": ("float", offset)} if offset == offset else moving


@cache
def _cutouts() -> list[bytes]:
    """Return ends of packets: three encoded FITS files each, realistic in look and size."""
    rng = np.random.default_rng(0)
    y, x = np.indices((_STAMP_SIDE, _STAMP_SIDE)) - _STAMP_SIDE // 2
    ends = []
    for number in range(_STAMPS):
        host_x, host_y = rng.normal(0, 2, 2)
        host = 4000 * np.exp(-np.hypot(x - host_x, y - host_y) / 3)
        source = 3000 * rng.random() * np.exp(-(x**2 + y**2) / 8)
        wide = _WIDE_PSF_SIDE if number % 2 else _PSF_SIDE
        files = [
            _fits(image + rng.normal(0, 50, x.shape), 2500 + image, side)
            for image, side in ((source, _PSF_SIDE), (host + source, _PSF_SIDE), (host, wide))
        ]
        ends.append(b"".join(_SOME + _encode("bytes", file) for file in files))
    return ends


def _fits(image: np.ndarray, variance: np.ndarray, psf_side: int) -> bytes:
    """Encode image, its variance and the PSF as a FITS file (standard 4.0, sections 4 and 7.1)."""
    y, x = np.indices((psf_side, psf_side)) - psf_side // 2
    psf = np.exp(-(x**2 + y**2) / 8)
    return (
        hdu(image.astype(">f4"), ("SIMPLE", "T"), ("EXTEND", "T"), ("BUNIT", "'nJy     '"))
        + _extension("UNCERT", variance.astype(">f4"))
        + _extension("PSFIMAGE", (psf / psf.sum()).astype(">f8"))
    )


def _extension(name: str, image: np.ndarray) -> bytes:
    first, last = ("XTENSION", "'IMAGE   '"), ("EXTNAME", f"'{name:<8}'")
    return hdu(image, first, ("PCOUNT", "0"), ("GCOUNT", "1"), last)
