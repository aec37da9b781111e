"""Tonight's list: published candidates in the order in which an observer takes them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fink_al.archive.reading import Archive
from fink_al.draws import closing_fraction, closing_mjd
from fink_al.errors import FinkAlError
from fink_al.followup.sky import hours_above_airmass_2, sexagesimal
from fink_al.lightcurve import LightCurves
from fink_al.lists import IN_LIST, read_list
from fink_al.loop import Loop

_COLUMNS = ["object_id", "ra", "dec", "band", "mag", "mjd", "p", "p_reason", "informativeness"]
_COLUMNS += ["strategy", "model_version", "first_detection_mjd", "list", "pi", "priority"]

#: Columns of the list, in order.
LIST = ["rank", "object_id", "ra", "dec", "position", "band", "mag", "trend_mag_per_day",
        "age_days", "p", "why", "hours", "list", "pi", "priority"]  # fmt: skip

#: Columns that a plan needs beside those: the last detection in the alert's band, with the errors
#: of its magnitude and of the trend. NaN without one.
DETAILS = [*LIST, "last_mjd", "mag_err", "trend_err"]

#: Columns of a form that an observer fills, and that ``fink-al labels import`` reads.
FORM = ["rank", "object_id", "position", "band", "mag", "list", "type", "observed"]


def candidates(loop: Loop, night: int | None = None) -> tuple[int, pd.DataFrame]:
    """Return the date of a list and its candidates so far, in the order to take them.

    The objects of a list are ranked by priority, each by its last alert, and the list is cut at
    ``max_per_night``. A night that was archived before there were lists is ranked by
    informativeness, with what the site cannot observe at the end. During the night the list grows
    with each micro-batch.

    Parameters
    ----------
    loop : Loop
        Provides archive, survey and site.
    night : int, optional
        Date of a list, or of a night without lists, YYYYMMDD; default: the latest that has
        candidates.

    Returns
    -------
    int
        The date.
    DataFrame
        Columns `LIST`: position in degrees and sexagesimal; ``trend_mag_per_day`` between the last
        two positive detections of the band at least half a day apart, negative while it brightens,
        NaN without such a pair; ``hours`` above airmass 2 in the dark within a day after the list
        closes, or after the alert; ``list pi priority`` are missing in a night without lists.

    Raises
    ------
    FinkAlError
        If there are no candidates; the message lists the archived nights.
    """
    day, rows = detailed(loop, night)
    return day, rows[LIST]


def detailed(loop: Loop, night: int | None = None) -> tuple[int, pd.DataFrame]:
    """Return the list of :func:`candidates` with the columns `DETAILS`."""
    nights = loop.archive.nights()
    columns = [*_COLUMNS, *loop.alerts.LIGHT_CURVE]
    day = night or _latest_list(loop.archive, nights)
    if day and len(rows := _of_list(loop, day, columns)):
        return day, _ranked(loop, rows)
    without_list = pc.field("is_candidate") & pc.field("list").is_null()
    for chosen in [night] if night else reversed(nights):
        if chosen in nights:
            rows = loop.archive.read(chosen, columns, without_list)
            if len(rows):
                return chosen, _ranked(loop, rows)
    problem = f"night {night} has no candidates" if night else "no night has candidates"
    archived = ", ".join(map(str, nights)) or "none: has the stream run?"
    raise FinkAlError(f"In {loop.archive.folder} {problem}; archived nights: {archived}.")


def last_alerts(
    loop: Loop, day: int, names: Collection[str], columns: Iterable[str]
) -> pa.Table | None:
    """Return the last alerts of objects of the list `day`, with `columns`; None if it has none."""
    listed = read_list(loop.archive, day)
    is_chosen = pc.is_in(listed["object_id"], pa.array(list(names), pa.string()))
    return _alerts_of(loop, day, listed.filter(is_chosen), columns)


def _alerts_of(loop: Loop, day: int, listed: pa.Table, columns: Iterable[str]) -> pa.Table | None:
    chosen = listed["alert_id"].combine_chunks()
    is_chosen = IN_LIST & pc.field("alert_id").isin(chosen)
    rows = loop.archive.read_list(day, ["alert_id", *columns], is_chosen)
    # An alert that came twice is archived twice.
    return (
        None if rows is None else rows.take(pc.index_in(chosen, rows["alert_id"].combine_chunks()))
    )


def _latest_list(archive: Archive, nights: list[int]) -> int | None:
    """Return the latest list of the latest night with candidates, None if it has no list."""
    for night in reversed(nights):
        lists = archive.read(night, ["list"], pc.field("is_candidate"))["list"]
        if len(lists):
            return pc.max(lists).as_py()
    return None


def _of_list(loop: Loop, day: int, columns: list[str]) -> pa.Table:
    """Return the last alerts of the published objects of a list, cut at the limit of a night."""
    listed = read_list(loop.archive, day)
    listed = listed.filter(listed["is_published"])[: loop.target.follow_up.max_per_night]
    rows = _alerts_of(loop, day, listed, columns)
    return listed if rows is None else rows


def _ranked(loop: Loop, rows: pa.Table) -> pd.DataFrame:
    lists = rows.select(list(loop.alerts.LIGHT_CURVE))
    curves = loop.alerts.light_curves(lists, loop.survey)
    table = rows.select(_COLUMNS).to_pandas()
    begun = np.fmax(table["first_detection_mjd"], curves.first_detection_mjd())
    codes = table["band"].map({band: i for i, band in enumerate(loop.survey.bands)})
    site = loop.target.follow_up.site
    is_list = bool(table["list"].notna().all())
    closes = closing_fraction(loop.target.draw, loop.survey)
    after = [closing_mjd(int(day), closes) for day in table["list"]] if is_list else table["mjd"]
    trend, trend_err, last_mjd, mag_err = _trend(curves, codes.to_numpy())
    table = table.assign(
        list=table["list"].astype("Int64"),
        position=sexagesimal(table["ra"], table["dec"]),
        trend_mag_per_day=trend,
        trend_err=trend_err,
        last_mjd=last_mjd,
        mag_err=mag_err,
        age_days=table["mjd"] - begun,
        why=[_why(row) for row in table.to_dict("records")],
        hours=hours_above_airmass_2(table["ra"], table["dec"], site, after),
    )
    if is_list:
        order = np.lexsort((table["object_id"], table["priority"]))
    else:
        hidden = table["hours"] == 0
        order = np.lexsort((table["object_id"], -table["informativeness"], hidden))
    table = table.iloc[order].reset_index(drop=True)
    return table.assign(rank=table.index + 1)[DETAILS]


def form(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a list as a form: an observer enters type and time of each spectrum."""
    return rows.assign(mag=rows["mag"].round(2), type="", observed="")[FORM]


def _trend(curves: LightCurves, band: np.ndarray) -> np.ndarray:
    """Trend and its error [mag / day], time and error of the last detection, shape (4, n)."""
    found = np.full((4, len(curves)), np.nan)
    for i in range(len(curves)):  # tonight's candidates: at most hundreds
        rows = slice(curves.offsets[i], curves.offsets[i + 1])
        use = (curves.band[rows] == band[i]) & curves.is_detection[rows] & (curves.flux[rows] > 0)
        mjd, flux = curves.mjd[rows][use], curves.flux[rows][use]
        if not len(mjd):
            continue
        mag, err = -2.5 * np.log10(flux), 2.5 / np.log(10) * curves.flux_err[rows][use] / flux
        found[2:, i] = mjd[-1], err[-1]
        if (earlier := np.flatnonzero(mjd[-1] - mjd > 0.5)).size:
            last = earlier[np.argmax(mjd[earlier])]  # histories are not always in order of time
            days = mjd[-1] - mjd[last]
            found[:2, i] = (mag[-1] - mag[last]) / days, np.hypot(err[-1], err[last]) / days
    return found


def _why(row: dict) -> str:
    if isinstance(row["p_reason"], str):
        return f"random sample ({row['p_reason']})"
    return f"{row['strategy']}, model {row['model_version']}"
