"""Avro schemas of ZTF's alert packets: names and types, without documentation.

Version 3.3, and 4.02 with the history of forced photometry.
"""

from __future__ import annotations

from typing import Any

# The survey's own names and types, in its order; "?" marks what may be null.
_POINT = """
jd double, fid int, pid long, diffmaglim float?, pdiffimfilename string?, programpi string?,
programid int, candid long{q}, isdiffpos string{q}, tblid long?, nid int?, rcid int?, field int?,
xpos float?, ypos float?, ra double{q}, dec double{q}, magpsf float{q}, sigmapsf float{q},
chipsf float?, magap float?, sigmagap float?, distnr float?, magnr float?, sigmagnr float?,
chinr float?, sharpnr float?, sky float?, magdiff float?, fwhm float?, classtar float?,
mindtoedge float?, magfromlim float?, seeratio float?, aimage float?, bimage float?,
aimagerat float?, bimagerat float?, elong float?, nneg int?, nbad int?, rb float?,
ssdistnr float?, ssmagnr float?, ssnamenr string?, sumrat float?, magapbig float?,
sigmagapbig float?, ranr double{q}, decnr double{q}
"""

_ONLY_ALERT = """
sgmag1 float?, srmag1 float?, simag1 float?, szmag1 float?, sgscore1 float?, distpsnr1 float?,
ndethist int, ncovhist int, jdstarthist double?, jdendhist double?, scorr double?, tooflag int?,
objectidps1 long?, objectidps2 long?, sgmag2 float?, srmag2 float?, simag2 float?, szmag2 float?,
sgscore2 float?, distpsnr2 float?, objectidps3 long?, sgmag3 float?, srmag3 float?, simag3 float?,
szmag3 float?, sgscore3 float?, distpsnr3 float?, nmtchps int, rfid long, jdstartref double,
jdendref double, nframesref int, rbversion string, dsnrms float?, ssnrms float?, dsdiff float?,
magzpsci float?, magzpsciunc float?, magzpscirms float?, nmatches int, clrcoeff float?,
clrcounc float?, zpclrcov float?, zpmed float?, clrmed float?, clrrms float?, neargaia float?,
neargaiabright float?, maggaia float?, maggaiabright float?, exptime float?, drb float?,
drbversion string
"""

_ONLY_HISTORY = """
scorr double?, magzpsci float?, magzpsciunc float?, magzpscirms float?, clrcoeff float?,
clrcounc float?, rbversion string
"""

_FORCED = """
field int?, rcid int?, fid int, pid long, rfid long, sciinpseeing float?, scibckgnd float?,
scisigpix float?, magzpsci float?, magzpsciunc float?, magzpscirms float?, clrcoeff float?,
clrcounc float?, exptime float?, adpctdif1 float?, adpctdif2 float?, diffmaglim float?,
programid int, jd double, forcediffimflux float?, forcediffimfluxunc float?, procstatus string?,
distnr float?, ranr double, decnr double, magnr float?, sigmagnr float?, chinr float?,
sharpnr float?
"""

SCHEMA_VERSION, FORCED_VERSION = "3.3", "4.02"


def _fields(table: str) -> list[tuple[str, Any]]:
    pairs = (entry.split() for entry in table.split(","))
    return [(name, [kind[:-1], "null"] if kind.endswith("?") else kind) for name, kind in pairs]


#: Names and Avro types of an alert's and of a history's point.
ALERT_FIELDS = _fields(_POINT.format(q="") + "," + _ONLY_ALERT)
HISTORY_FIELDS = _fields(_POINT.format(q="?") + "," + _ONLY_HISTORY)
#: Names and Avro types of a point of forced photometry.
FORCED_FIELDS = _fields(_FORCED)


def ztf_schema(forced: bool = False) -> dict[str, Any]:
    """Return the writer schema of a ZTF packet, the survey's version 3.3; 4.02 if `forced`.

    The latter has the history of forced photometry, and otherwise the fields of the former: what
    else came between is left out, and so are documentation and defaults; some defaults (null for
    a float) are invalid.
    Source: ZwickyTransientFacility/ztf-avro-alert on GitHub.
    """
    cutout = _record("cutout", [("fileName", "string"), ("stampData", "bytes")])
    forced_points = {"type": "array", "items": _record("fp_hist", FORCED_FIELDS)}
    return _record(
        "",
        [
            ("schemavsn", "string"),
            ("publisher", "string"),
            ("objectId", "string"),
            ("candid", "long"),
            ("candidate", _record("candidate", ALERT_FIELDS)),
            (
                "prv_candidates",
                [{"type": "array", "items": _record("prv_candidate", HISTORY_FIELDS)}, "null"],
            ),
            *([("fp_hists", [forced_points, "null"])] if forced else []),
            ("cutoutScience", [cutout, "null"]),
            ("cutoutTemplate", ["ztf.alert.cutout", "null"]),
            ("cutoutDifference", ["ztf.alert.cutout", "null"]),
        ],
    )


def _record(name: str, fields: list[tuple[str, Any]]) -> dict[str, Any]:
    return {
        "type": "record",
        "name": f"ztf.alert.{name}".rstrip("."),
        "version": SCHEMA_VERSION,
        "fields": [{"name": field, "type": kind} for field, kind in fields],
    }
