"""Light curves from a table with one row a point, in ZTF's names, as in notebooks and files."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from fink_al.alerts.ztf import MJD_OF_JD0
from fink_al.errors import LightCurveError
from fink_al.identifiers import identifiers
from fink_al.lightcurve import LightCurves, flux_from_mag
from fink_al.settings import Survey, load_survey

log = logging.getLogger(__name__)

_NEEDED = ("jd", "fid", "magpsf", "sigmapsf")
IDENTIFIERS = ("alert_id", "objectId")
_SIGN, _SIGNS = "isdiffpos", {"t": 1.0, "1": 1.0, "f": -1.0, "0": -1.0}
_MAGNITUDES, _JULIAN = (0.0, 40.0), (2_400_000.5, 2_500_000.0)


def light_curves_of_points(
    points: Any, survey: Survey | None = None, by: str | None = None, also: tuple[str, ...] = ()
) -> LightCurves:
    """Return light curves of a table of points.

    Parameters
    ----------
    points : pandas.DataFrame or pyarrow.Table
        One row a point: ``alert_id`` or ``objectId`` (then one light curve an object), ``jd``,
        ``fid`` (1 g, 2 r, 3 i), ``magpsf`` and ``sigmapsf`` [mag, AB]. A NaN or null ``magpsf`` is
        a non-detection, whose limit is ``diffmaglim`` where there is such a column. Rows that
        repeat another are left out. Where histories of several alerts form the light curve of an
        object, each point is taken from the latest alert. Identifiers are integers or text. A
        column ``isdiffpos`` says whether a detection is brighter than the template: 't' or '1',
        'f' or '0', also as numbers or truth values. Without it all detections are brighter, as in
        the published features. A detection whose sign is null is left out. The table may have
        ``objectId``, ``type`` and other columns of numbers, with one value for all points of a
        light curve: the value of its first point becomes context.
    survey : Survey, optional
        Band names and the start of a day.  Default: that of ``conf/surveys/ztf.yml``.
    by : str, optional
        Column that identifies a light curve; default ``alert_id``, else ``objectId``.
    also : tuple of str
        Other columns of text that must exist, such as ``type``. Light curves with several values
        of one of them are left out, with a warning: the right one is not guessed.

    Returns
    -------
    LightCurves
        In the order in which the identifiers appear (of joined histories: alert after alert, by
        time), points in order of time. A non-detection without a limit is an upper limit of unknown
        flux (NaN).

    Raises
    ------
    LightCurveError
        If columns are missing, empty, not numbers (or not text), or hold values that contradict
        their name; if identifiers are in floating point.

    Examples
    --------
    >>> import pandas as pd
    >>> points = pd.DataFrame(
    ...     {"alert_id": 1, "jd": [2461050.7, 2461052.7], "fid": 1,
    ...      "magpsf": [19.5, 19.1], "sigmapsf": 0.1})
    >>> light_curves_of_points(points).flux.round(0)
    array([1585., 2291.])
    """
    survey = survey or load_survey("ztf")
    if survey.name != "ztf":  # `fid` 1 would be another survey's first band
        raise LightCurveError(
            f"Tables of points are read in ZTF's names and magnitudes; the survey is "
            f"'{survey.name}', whose light curves come from its stream or its archive."
        )
    table = points.to_pandas() if isinstance(points, pa.Table) else pd.DataFrame(points)
    for name in {*IDENTIFIERS, *([by] if by else [])} & set(table):
        column = points[name] if isinstance(points, pa.Table) else table[name]
        exact = identifiers(column, name)
        table = table.assign(**{name: exact.set_axis(table.index)})
    by = by or next((name for name in IDENTIFIERS if name in table), IDENTIFIERS[0])
    _check(table, by, also, survey)
    table = _with_sign(table)
    table = _without_contradictions(table, by, also)
    if by == "objectId" and "alert_id" in table:
        table = _put_together(table)
    table = _once(table, by)
    owner, names = pd.factorize(table[by])
    order = np.lexsort((table["jd"].to_numpy(float), owner))
    table, owner = table.iloc[order], owner[order]
    mag, mag_err = (table[name].to_numpy(np.float64, na_value=np.nan) for name in _NEEDED[2:])
    limit = np.full(len(table), np.nan)
    if "diffmaglim" in table:
        limit = table["diffmaglim"].to_numpy(np.float64, na_value=np.nan, copy=True)
        limit[(limit < _MAGNITUDES[0]) | (limit > _MAGNITUDES[1])] = np.nan
    is_limit = np.isnan(mag)
    flux, flux_err = flux_from_mag(np.where(is_limit, limit, mag), mag_err)
    sign = table[_SIGN].to_numpy(np.float64)
    fid = table["fid"].to_numpy(np.float64)
    first = np.searchsorted(owner, np.arange(len(names)))
    measured = (*_NEEDED, "diffmaglim", _SIGN)
    others = [
        name for name in table
        if name in (*IDENTIFIERS, "type", by, *also)
        or (pd.api.types.is_numeric_dtype(table[name]) and name not in measured)
    ]  # fmt: skip
    return LightCurves(
        offsets=np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(names)))]),
        mjd=table["jd"].to_numpy(np.float64) - MJD_OF_JD0,
        band=np.where((fid >= 1) & (fid <= len(survey.bands)), fid - 1, -1),
        flux=flux * sign,
        flux_err=np.where(is_limit, np.nan, flux_err),
        is_upper_limit=is_limit,
        is_forced=np.zeros(len(table), bool),
        bands=survey.bands,
        context=pa.Table.from_pandas(table[others].iloc[first], preserve_index=False),
        day_start=survey.day_start,
    )


def _without_contradictions(table: pd.DataFrame, by: str, also: Sequence[str]) -> pd.DataFrame:
    for column in also:
        counts = table.groupby(by, sort=False)[column].nunique()
        several = counts.index[counts > 1]
        if len(several):
            log.warning(
                "%d light curves have several values of '%s' and are left out: %s",
                len(several), column, ", ".join(map(str, several[:5])),
            )  # fmt: skip
            table = table[~table[by].isin(several)]
    if not len(table):
        raise LightCurveError(f"Every light curve has several values of {' or '.join(also)}.")
    return table


def _with_sign(table: pd.DataFrame) -> pd.DataFrame:
    """Return `table` with 1 or -1 in `isdiffpos`, without detections of unknown sign."""
    if _SIGN not in table:
        return table.assign(**{_SIGN: 1})
    seen, signs = table["magpsf"].notna(), table[_SIGN]
    words = signs.map(_sign_word, na_action="ignore")
    if (strange := seen & signs.notna() & ~words.isin(_SIGNS)).any():
        raise LightCurveError(
            f"'{_SIGN}' holds {signs[strange].iloc[0]}; allowed: 't' or '1' for brighter than "
            "the template, 'f' or '0' for fainter, and null for a non-detection."
        )
    sign = words.map(_SIGNS).where(seen, 1)
    if words[seen].isna().all():
        raise LightCurveError(
            f"'{_SIGN}' is null in every detection: give its sign, or leave the column out if all "
            "are brighter than the template."
        )
    if (unknown := sign.isna()).any():
        log.warning("%d detections have no '%s' and are left out", int(unknown.sum()), _SIGN)
    return table.assign(**{_SIGN: sign})[~unknown]


def _sign_word(value: Any) -> str:
    """Return the survey's word for a sign, which tables also hold as truth value or number."""
    if isinstance(value, str):
        return value
    return "1" if value == 1 else "0" if value == 0 else repr(value)


def _put_together(table: pd.DataFrame) -> pd.DataFrame:
    """Keep each point once, of the last alert that has it: later photometry is better."""
    alert_end = table.groupby(["objectId", "alert_id"])["jd"].transform("max").to_numpy()
    return table.iloc[np.argsort(alert_end, kind="stable")].drop_duplicates(
        ["objectId", "jd", "fid"], keep="last"
    )


def _once(table: pd.DataFrame, by: str) -> pd.DataFrame:
    again = table.duplicated([by, *(n for n in (*_NEEDED, "diffmaglim") if n in table)])
    if again.any():
        log.warning("%d rows repeat another row and are left out", int(again.sum()))
    return table[~again]


def _check(table: pd.DataFrame, by: str, also: Sequence[str], survey: Survey) -> None:
    missing = [name for name in (by, *also, *_NEEDED) if name not in table]
    if missing:
        raise LightCurveError(
            f"The table of points lacks {', '.join(missing)}; found {', '.join(map(str, table))}. "
            f"Needed: {', '.join((by, *also, *_NEEDED))}; diffmaglim is optional."
        )
    if not len(table):
        raise LightCurveError("The table of points is empty: it needs one row a point.")
    if table[by].isna().any():
        raise LightCurveError(f"'{by}' is null in {int(table[by].isna().sum())} rows; name each.")
    for name in also:
        _check_text(table[name], name)
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
    if str(table["jd"].dtype).lower() in ("float32", "float16"):
        raise LightCurveError(
            f"'jd' is {table['jd'].dtype}, which resolves times to a quarter of a day at best: "
            "give 64-bit numbers."
        )
    if (broken := table["fid"] % 1 != 0).any():
        raise LightCurveError(
            f"'fid' holds {table['fid'][broken].iloc[0]}; bands are 1 for g, 2 for r, 3 for i."
        )
    if (outside := ~table["jd"].between(*_JULIAN)).any():
        value = table["jd"][outside].iloc[0]
        raise LightCurveError(
            f"'jd' holds {value}, which is not a Julian date of this age: {_JULIAN[0]} "
            f"to {_JULIAN[1]}. Add {MJD_OF_JD0} to a modified Julian date."
        )
    if table["magpsf"].notna().sum() == 0:
        raise LightCurveError("No row has a magnitude in 'magpsf': give at least one detection.")
    strange = table["magpsf"].notna() & ~table["magpsf"].between(*_MAGNITUDES)
    if strange.any():
        raise LightCurveError(
            f"'magpsf' holds {table['magpsf'][strange].iloc[0]}, which is not an AB magnitude "
            f"({_MAGNITUDES[0]:.0f} to {_MAGNITUDES[1]:.0f}): a flux? Give magnitudes, and NaN for "
            "non-detections."
        )
    in_a_band = table["fid"].between(1, len(survey.bands))
    error = table["sigmapsf"]
    measured = (error > 0) & np.isfinite(error.to_numpy(np.float64, na_value=np.nan))
    _check_share(in_a_band, table["fid"], "fid", "a band: 1 is g, 2 r, 3 i")
    seen = table["magpsf"].notna()
    _check_share(measured[seen], error[seen], "sigmapsf", "an error in magnitudes above 0")
    if "diffmaglim" in table:
        limit = table["diffmaglim"]
        sound = limit.isna() | limit.between(*_MAGNITUDES)
        _check_share(sound, limit, "diffmaglim", "an AB magnitude, or null")


def _check_text(values: pd.Series, name: str) -> None:
    texts = values.dropna().unique()
    if not len(texts):
        raise LightCurveError(
            f"'{name}' is null in every row: give it as text, the same in all rows of an object."
        )
    if strange := [value for value in texts if not isinstance(value, str)]:
        raise LightCurveError(
            f"'{name}' holds {strange[0]}, which is not text: give its name in words, and null "
            "where it is unknown."
        )


def _check_share(sound: pd.Series, values: pd.Series, name: str, wanted: str) -> None:
    """Refuse a column without any sound value; log the number of rows that are not sound."""
    if sound.all():
        return
    wrong = values[~sound]
    if not sound.any():
        raise LightCurveError(
            f"No row of '{name}' holds {wanted}; the first holds {wrong.iloc[0]}."
        )
    log.warning(
        "%d rows of '%s' do not hold %s (the first holds %s): no feature uses them",
        len(wrong), name, wanted, wrong.iloc[0],
    )  # fmt: skip
