"""Light curves from a table with one row a point, in ZTF's names: what notebooks and files have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from fink_al.alerts.ztf import MJD_OF_JD0
from fink_al.errors import LightCurveError
from fink_al.lightcurve import LightCurves, flux_from_mag
from fink_al.settings import Survey

_NEEDED = ("jd", "fid", "magpsf", "sigmapsf")
_IDENTIFIERS = ("alert_id", "objectId")
_MAGNITUDES, _JULIAN = (0.0, 40.0), (2_400_000.5, 2_500_000.0)


def light_curves_of_points(
    points: Any, survey: Survey, by: str | None = None, also: tuple[str, ...] = ()
) -> LightCurves:
    """Light curves of a table of points.

    Parameters
    ----------
    points : pandas.DataFrame or pyarrow.Table
        One row a point: ``alert_id`` or ``objectId`` (then one light curve an object), ``jd``,
        ``fid`` (1 g, 2 r, 3 i), ``magpsf`` and ``sigmapsf`` [mag, AB]. A NaN or null ``magpsf`` is
        a non-detection, whose limit is ``diffmaglim`` where there is such a column. Other columns
        whose value is the same for all points of a light curve may go along: the first becomes
        context.
    survey : Survey
        Band names and where a day begins.
    by : str, optional
        Column that tells light curves apart; default ``alert_id``, else ``objectId``.
    also : tuple of str
        Other columns that must be there, such as ``type``.

    Returns
    -------
    LightCurves
        In the order in which the identifiers appear, points in order of time. A non-detection
        without a limit is an upper limit of unknown flux (NaN).

    Raises
    ------
    LightCurveError
        If columns are missing, empty, no numbers, or not what their name says.
    """
    table = points.to_pandas() if isinstance(points, pa.Table) else pd.DataFrame(points)
    by = by or next((name for name in _IDENTIFIERS if name in table), _IDENTIFIERS[0])
    _check(table, by, also)
    owner, names = pd.factorize(table[by])
    order = np.lexsort((table["jd"].to_numpy(float), owner))
    table, owner = table.iloc[order], owner[order]
    mag, mag_err = (table[name].to_numpy(np.float64, na_value=np.nan) for name in _NEEDED[2:])
    limit = np.full(len(table), np.nan)
    if "diffmaglim" in table:
        limit = table["diffmaglim"].to_numpy(np.float64, na_value=np.nan)
    is_limit = np.isnan(mag)
    flux, flux_err = flux_from_mag(np.where(is_limit, limit, mag), mag_err)
    fid = table["fid"].to_numpy(np.int64)
    first = np.searchsorted(owner, np.arange(len(names)))
    others = [name for name in table if name not in (*_NEEDED, "diffmaglim")]
    return LightCurves(
        offsets=np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(names)))]),
        mjd=table["jd"].to_numpy(np.float64) - MJD_OF_JD0,
        band=np.where((fid >= 1) & (fid <= len(survey.bands)), fid - 1, -1),
        flux=flux,
        flux_err=np.where(is_limit, np.nan, flux_err),
        is_upper_limit=is_limit,
        is_forced=np.zeros(len(table), bool),
        bands=survey.bands,
        context=pa.Table.from_pandas(table[others].iloc[first], preserve_index=False),
        day_start=survey.day_start,
    )


def _check(table: pd.DataFrame, by: str, also: tuple[str, ...]) -> None:
    missing = [name for name in (by, *also, *_NEEDED) if name not in table]
    if missing:
        raise LightCurveError(
            f"The table of points lacks {', '.join(missing)}; found {', '.join(map(str, table))}. "
            f"Needed: {', '.join((by, *also, *_NEEDED))}; diffmaglim may be there too."
        )
    if not len(table):
        raise LightCurveError("The table of points is empty: it needs one row a point.")
    if table[by].isna().any():
        raise LightCurveError(f"'{by}' is null in {int(table[by].isna().sum())} rows; name each.")
    for name in (*_NEEDED, *(["diffmaglim"] if "diffmaglim" in table else [])):
        if not pd.api.types.is_numeric_dtype(table[name]) and table[name].notna().any():
            hint = " Bands are 1 for g, 2 for r, 3 for i." if name == "fid" else ""
            raise LightCurveError(
                f"'{name}' holds {table[name].dtype}, not numbers; first value "
                f"{table[name].dropna().iloc[0]!r}.{hint}"
            )
    if table["jd"].isna().any() or table["fid"].isna().any():
        raise LightCurveError(
            "'jd' and 'fid' must not be null; only magpsf may, at non-detections."
        )
    if (broken := table["fid"] % 1 != 0).any():
        raise LightCurveError(
            f"'fid' holds {table['fid'][broken].iloc[0]}; bands are 1 for g, 2 for r, 3 for i."
        )
    if (outside := ~table["jd"].between(*_JULIAN)).any():
        value = table["jd"][outside].iloc[0]
        raise LightCurveError(
            f"'jd' holds {value}, which is no Julian date of this age: {_JULIAN[0]} to "
            f"{_JULIAN[1]}. Add {MJD_OF_JD0} to a modified Julian date."
        )
    if table["magpsf"].notna().sum() == 0:
        raise LightCurveError("No row has a magnitude in 'magpsf': there is nothing to look at.")
    strange = table["magpsf"].notna() & ~table["magpsf"].between(*_MAGNITUDES)
    if strange.any():
        raise LightCurveError(
            f"'magpsf' holds {table['magpsf'][strange].iloc[0]}, which is no AB magnitude "
            f"({_MAGNITUDES[0]:.0f} to {_MAGNITUDES[1]:.0f}): a flux? Give magnitudes, and NaN for "
            "non-detections."
        )
