"""Simulated ZTF packets: Avro container files of one record, about 60 kB each."""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import fastavro
import numpy as np
import pandas as pd

from fink_al.alerts.packet import SYNC_BYTES
from fink_al.alerts.ztf import MJD_OF_JD0
from fink_al.lightcurve import FLUXCAL_ZERO_POINT
from fink_al.simulation.fits import hdu
from fink_al.simulation.nights import Campaign
from fink_al.simulation.packet_schema import (
    FORCED_FIELDS,
    FORCED_VERSION,
    HISTORY_FIELDS,
    SCHEMA_VERSION,
    ztf_schema,
)

_NO_NEIGHBOUR = -999.0  # as ZTF writes it
_STAMPS, _STAMP_SIDE = 32, 63
_FIELDS = ztf_schema()["fields"]
_HEAD, _TAIL = (
    fastavro.parse_schema({"type": "record", "name": "part", "fields": fields})
    for fields in (_FIELDS[:5], _FIELDS[6:])
)
_POINT = fastavro.parse_schema(_FIELDS[5]["type"][0]["items"])
_FORCED = fastavro.parse_schema(ztf_schema(forced=True)["fields"][6]["type"][0]["items"])
_ZERO_POINT = 26.2  # magnitude of 1 DN
# Naming the branch of a union spares fastavro the search for it: twice as fast.
_NULL = ("null", None)
_NULLS = {name: _NULL for name, kind in HISTORY_FIELDS if isinstance(kind, list)}
_FORCED_NULLS = {name: _NULL for name, kind in FORCED_FIELDS if isinstance(kind, list)}


def packets(campaign: Campaign, night: int, forced: bool = False) -> Iterator[bytes]:
    """Yield the night's packets, in time order.

    Fields that are not modelled are null or a plausible constant. Cutouts are taken in turn from
    a few dozen: noise with a host and a source, whose brightness is not the alert's.

    Parameters
    ----------
    campaign : Campaign
        Alerts and their histories.
    night : int
        YYYYMMDD, one of ``campaign.nights``.
    forced : bool
        True for packets with forced photometry in all exposures of the history.
    """
    alerts = campaign.alerts[campaign.alerts["night"] == night]
    needed = np.zeros(len(campaign.points), bool)
    for first, point in zip(alerts["first"], alerts["point"], strict=True):
        needed[first : point + 1] = True
    # Encoding histories takes most of the time, and an object's alerts share theirs.
    rows = _rows(campaign.points[needed].rename_axis("row").reset_index())
    points = {row["row"]: _point(row) for row in rows}
    encoded = {row: _encode(_POINT, point) for row, point in points.items()}
    again = {row["row"]: _encode(_FORCED, _forced(row)) for row in rows} if forced else {}
    header, version = _header(forced), FORCED_VERSION if forced else SCHEMA_VERSION
    for number, alert in enumerate(_rows(alerts)):
        head = _head(alert, points[alert["point"]]) | {"schemavsn": version}
        tail, before = _cutouts(alert["alert_id"], number), range(alert["first"], alert["point"])
        history = _array([encoded[row] for row in before])
        if forced:
            history += _array([again[row] for row in before])
        body = _encode(_HEAD, head) + history + _encode(_TAIL, tail)
        marker = _marker(alert["alert_id"])
        yield header + marker + _encode("long", 1) + _encode("long", len(body)) + body + marker


def replicate(originals: Sequence[bytes], n: int) -> Iterator[bytes]:
    """Yield `n` copies of `originals` in turn, each with its own object id and alert id.

    For load tests: new ids are written over the old ones, which have the same length.
    """
    ids = []
    for packet in originals:
        record: Any = next(fastavro.reader(io.BytesIO(packet)))
        ids.append((record["objectId"].encode(), _encode("long", record["candid"])))
    sources = itertools.cycle(zip(originals, ids, strict=True))
    letters = itertools.product(b"abcdefghijklmnopqrstuvwxyz", repeat=7)
    for i, (packet, (object_id, alert_id)), name in zip(range(n), sources, letters, strict=False):
        # Above 2 ** 61 a long takes nine bytes, as ZTF's do from 2017 to 2029.
        yield packet.replace(object_id, b"ZTF26" + bytes(name)).replace(
            alert_id, _encode("long", 2**61 + i)
        )


def _rows(frame: pd.DataFrame) -> Any:
    return frame.to_dict("records")


def _header(forced: bool) -> bytes:
    """Return the part of a container file before its first sync marker."""
    out = io.BytesIO()
    marker = _marker(0)
    fastavro.writer(out, ztf_schema(forced), [], sync_marker=marker)
    return out.getvalue().removesuffix(marker)


def _marker(alert_id: int) -> bytes:
    """Return the sync marker of a packet: one for each, as the survey's own writer draws them."""
    return hashlib.blake2b(str(alert_id).encode(), digest_size=SYNC_BYTES).digest()


def _encode(schema: Any, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, value)
    return out.getvalue()


def _array(items: list[bytes]) -> bytes:
    """Encode `items` as the array of a union's first branch; no items as its second, null."""
    if not items:
        return _encode("long", 1)
    return b"".join([_encode("long", 0), _encode("long", len(items)), *items, _encode("long", 0)])


def _point(row: dict[str, Any]) -> dict[str, Any]:
    """Return a point as an entry of ``prv_candidates``."""
    image = f"ztf_{row['exposure_id']}_z{'gri'[row['band']]}_o_scimrefdiffimg.fits.fz"
    point: dict[str, Any] = _NULLS | {
        "jd": row["mjd"] + MJD_OF_JD0,
        "fid": row["band"] + 1,
        "pid": row["exposure_id"],
        "diffmaglim": row["limit_mag"],
        "pdiffimfilename": f"/ztf/archive/sci/{row['exposure_id']}/{image}",
        "programpi": "Kulkarni",
        "programid": 1,
        "nid": row["exposure_id"] // 10**9,
        "rcid": row["exposure_id"] // 10 % 100,
        "rbversion": "t17_f5_c3",
        "magzpsci": _ZERO_POINT,
    }
    if row["mag"] == row["mag"]:
        point |= {
            "candid": row["alert_id"],
            "isdiffpos": "t" if row["is_positive"] else "f",
            "magpsf": row["mag"],
            "sigmapsf": row["mag_err"],
            "ra": row["ra"],
            "dec": row["dec"],
            "ranr": row["ra"],
            "decnr": row["dec"],
            "magap": row["mag"],
            "sigmagap": 1.5 * row["mag_err"],
            "magfromlim": row["limit_mag"] - row["mag"],
            "scorr": 1.0857 / row["mag_err"],
            "classtar": row["classtar"],
            "rb": row["real_bogus"],
            "nbad": row["n_bad_pixels"],
            "nneg": 2,
            "fwhm": 2.2,
            "sumrat": 1.0,
        }
    return point


def _forced(row: dict[str, Any]) -> dict[str, Any]:
    """Return forced photometry of a point as an entry of ``fp_hists``."""
    scale = 10 ** (0.4 * (_ZERO_POINT - FLUXCAL_ZERO_POINT))
    return _FORCED_NULLS | {
        "fid": row["band"] + 1,
        "pid": row["exposure_id"],
        "rfid": 781_120_133,
        "magzpsci": _ZERO_POINT,
        "diffmaglim": row["limit_mag"],
        "programid": 1,
        "jd": row["mjd"] + MJD_OF_JD0,
        "forcediffimflux": row["flux"] * scale,
        "forcediffimfluxunc": row["flux_err"] * scale,
        "procstatus": "0",
        "ranr": row["ra"],
        "decnr": row["dec"],
    }


def _head(alert: dict[str, Any], point: dict[str, Any]) -> dict[str, Any]:
    """Return a packet's fields before its history."""
    asteroid = alert["asteroid_distance_arcsec"]
    candidate = point | {
        "drb": alert["deep_real_bogus"],
        "drbversion": "d6_m7",
        "ssdistnr": asteroid if asteroid == asteroid else _NO_NEIGHBOUR,
        "ssnamenr": "2020 AA1" if asteroid == asteroid else "null",
        **_source(alert),
        "sgscore1": alert["star_score"],
        "distpsnr1": alert["star_distance_arcsec"],
        "ndethist": alert["n_detections"],
        "ncovhist": alert["n_exposures"],
        "jdstarthist": alert["first_detection_mjd"] + MJD_OF_JD0,
        "jdendhist": point["jd"],
        "exptime": 30.0,
        "tooflag": 0,
        "nmtchps": 1,
        "rfid": 781_120_133,
        "jdstartref": 2458168.6,
        "jdendref": 2458362.0,
        "nframesref": 16,
        "nmatches": 900,
    }
    return {
        "publisher": "fink-al simulation",
        "objectId": alert["object_id"],
        "candid": alert["alert_id"],
        "candidate": candidate,
    }


def _source(alert: dict[str, Any]) -> dict[str, float | None]:
    """Return the nearest sources of catalogue and reference, from what an alert shows of them."""
    r = alert["host_mag"]
    mags = {
        "sgmag1": r + alert["host_colour_g_r"],
        "srmag1": r,
        "simag1": r - alert["host_colour_r_i"],
    }
    near = {"magnr": alert["reference_mag"], "distnr": alert["reference_distance_arcsec"]}
    return {k: v if v == v else _NO_NEIGHBOUR for k, v in mags.items()} | {
        k: v if v == v else None for k, v in near.items()
    }


def _cutouts(alert_id: int, number: int) -> dict[str, dict[str, Any]]:
    """Return a packet's fields after its history."""
    return {
        f"cutout{name}": {
            "fileName": f"candid{alert_id}_{name.lower()}.fits.gz",
            "stampData": stamp,
        }
        for name, stamp in _stamps()[number % _STAMPS].items()
    }


@cache
def _stamps() -> list[dict[str, bytes]]:
    """Return sets of three gzipped FITS images, realistic in look and size."""
    rng = np.random.default_rng(0)
    y, x = np.indices((_STAMP_SIDE, _STAMP_SIDE)) - _STAMP_SIDE // 2
    stamps = []
    for _ in range(_STAMPS):
        host_x, host_y = rng.normal(0, 3, 2)
        host = 400 * np.exp(-np.hypot(x - host_x, y - host_y) / 3)
        source = 300 * rng.random() * np.exp(-(x**2 + y**2) / 4)
        images = {"Science": host + source, "Template": host, "Difference": source}
        stamps.append(
            {name: _fits(image + rng.normal(0, 8, x.shape)) for name, image in images.items()}
        )
    return stamps


def _fits(image: np.ndarray) -> bytes:
    return gzip.compress(hdu(image.astype(">f4"), ("SIMPLE", "T")), mtime=0)
