"""Tonight's list: published candidates in the order in which an observer takes them."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fink_al.archive.reading import Archive
from fink_al.draws import closing_fraction, closing_mjd
from fink_al.errors import FinkAlError
from fink_al.followup.sky import hours_above_airmass_2, sexagesimal
from fink_al.followup.subscriber import read_candidates
from fink_al.lightcurve import LightCurves
from fink_al.lists import in_list, least_t, read_list
from fink_al.loop import Loop

Source = Literal["archive", "topic"]


class NoCandidates(FinkAlError):
    """There is no list, or none of that night."""


_COLUMNS = ["object_id", "ra", "dec", "band", "mag", "mjd", "p", "p_reason", "informativeness"]
_COLUMNS += ["strategy", "model_version", "first_detection_mjd", "list", "pi", "priority", "tags"]

#: Columns of the alerts of a list, beside those of the light curve.
ALERT = [*_COLUMNS, "alert_id", "topic", "partition", "offset", "star_distance_arcsec",
         "star_score", "host_class"]  # fmt: skip

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
    found = read_tonight(loop, night)
    return found.day, found.rows[LIST]


@dataclass(frozen=True)
class Listed:
    """A list of candidates, best first.

    Parameters
    ----------
    day : int
        Its date, or that of a night without lists, YYYYMMDD.
    rows : DataFrame
        One row an object, with the columns `DETAILS`.
    alerts : pyarrow.Table
        Last alert of each object, in the same order, with the columns `ALERT` as far as there are
        any and those of the light curve.
    most_priority : float
        Priority above which objects may be missing: those that were not published, or are cut by
        the limit of a night.
    """

    day: int
    rows: pd.DataFrame
    alerts: pa.Table
    most_priority: float


def read_tonight(loop: Loop, night: int | None = None, source: Source = "archive") -> Listed:
    """Return the list of :func:`candidates` with all that a plan needs.

    Parameters
    ----------
    loop : Loop
        Provides archive, survey and site.
    night : int, optional
        As for :func:`candidates`.
    source : {'archive', 'topic'}
        Where it is read from. The topic has each object as it was when it was published, the
        archive as it was last seen.

    Raises
    ------
    FinkAlError
        If there are no candidates.
    ServiceError
        If the topic cannot be read.
    """
    if source == "topic":
        day, alerts, bound = _of_topic(loop, night)
    else:
        day, alerts, bound = _of_archive(loop, night)
    rows, order = _ranked(loop, alerts)
    return Listed(day, rows, alerts.take(pa.array(order)), bound)


def _of_archive(loop: Loop, night: int | None) -> tuple[int, pa.Table, float]:
    archive, nights = loop.archive, loop.archive.nights()
    names = set(archive.schema().names) if nights else set()
    columns = [name for name in (*ALERT, *loop.alerts.LIGHT_CURVE) if name in names]
    if day := night or _latest_list(archive, nights):
        listed = read_list(archive, day)
        published = listed.filter(listed["is_published"])
        most = loop.target.follow_up.max_per_night
        cut = published["priority"].to_numpy()[most:]
        chosen = published[:most]["alert_id"].combine_chunks()
        rows = archive.read_list(day, columns, in_list(archive) & pc.field("alert_id").isin(chosen))
        if rows is not None and len(chosen):
            # An alert that came twice is archived twice.
            rows = rows.take(pc.index_in(chosen, rows["alert_id"].combine_chunks()))
            return day, rows, min(least_t(listed), float(np.min(cut, initial=np.inf)))
    without_list = archive.field("is_candidate") & archive.field("list").is_null()
    for chosen_night in [night] if night else reversed(nights):
        if chosen_night in nights:
            rows = archive.read(chosen_night, columns, without_list)
            if len(rows):
                return chosen_night, rows, np.inf
    problem = f"night {night} has no candidates" if night else "no night has candidates"
    archived = ", ".join(map(str, nights)) or "none: has the stream run?"
    raise NoCandidates(f"In {archive.folder} {problem}; archived nights: {archived}.")


def _of_topic(loop: Loop, night: int | None) -> tuple[int, pa.Table, float]:
    """Candidates of one list; memory follows the list, not the topic."""
    day, last, least_t_, days = night, dict[str, dict](), np.inf, set[int]()
    for _, _, record in read_candidates(loop.settings.sink, loop.target.candidates_topic):
        if record["list"] is None:
            continue
        days.add(record["list"])
        if night is None and (day is None or record["list"] > day):
            day, last, least_t_ = record["list"], {}, np.inf
        if record["list"] == day:
            last[record["object_id"]] = record
            least_t_ = min(least_t_, record["t"])
    if not last or day is None:
        known = ", ".join(map(str, sorted(days)[-10:])) or "none: has the stream run?"
        raise NoCandidates(
            f"Topic '{loop.target.candidates_topic}' has no candidates of list {day or 'any'}; its "
            f"last lists: {known}."
        )
    best = sorted(last.values(), key=lambda record: (record["priority"], record["object_id"]))
    most = loop.target.follow_up.max_per_night
    cut = [record["priority"] for record in best[most : most + 1]]
    names = [name for name in (*ALERT, *loop.alerts.LIGHT_CURVE) if name in best[0]]
    rows = pa.Table.from_pylist([{name: one[name] for name in names} for one in best[:most]])
    kinds = {
        **loop.alerts.LIGHT_CURVE,
        "p_reason": pa.string(),
        "first_detection_mjd": pa.float64(),
    }
    for name, kind in kinds.items():
        at = rows.column_names.index(name)
        rows = rows.set_column(at, name, rows[name].cast(kind))
    return day, rows, min([least_t_, *cut])


def _latest_list(archive: Archive, nights: list[int]) -> int | None:
    """Return the latest list of the latest night with candidates, None if it has no list."""
    for night in reversed(nights):
        lists = archive.read(night, ["list"], archive.field("is_candidate"))["list"]
        if len(lists):
            return pc.max(lists).as_py()
    return None


def _ranked(loop: Loop, rows: pa.Table) -> tuple[pd.DataFrame, npt.NDArray[np.intp]]:
    """Return the objects with all columns, best first, and their numbers in `rows`."""
    lists = rows.select(list(loop.alerts.LIGHT_CURVE))
    curves = loop.alerts.light_curves(lists, loop.survey)
    table = rows.select(_COLUMNS).to_pandas()
    begun = np.fmax(table["first_detection_mjd"], curves.first_detection_mjd())
    codes = table["band"].map({band: i for i, band in enumerate(loop.survey.bands)})
    site = loop.target.follow_up.site
    is_list = bool(table["list"].notna().all())
    closes = closing_fraction(loop.target.draw, loop.survey)
    after = [closing_mjd(int(day), closes) for day in table["list"]] if is_list else table["mjd"]
    trend, trend_err, last_mjd, mag_err = trends(curves, codes.to_numpy())
    table = table.assign(
        list=table["list"].astype("Int64"),
        position=sexagesimal(table["ra"], table["dec"]),
        trend_mag_per_day=trend,
        trend_err=trend_err,
        last_mjd=last_mjd,
        mag_err=mag_err,
        age_days=table["mjd"] - begun,
        why=[_why(row, loop.target.flags) for row in table.to_dict("records")],
        hours=hours_above_airmass_2(table["ra"], table["dec"], site, after),
    )
    if is_list:
        order = np.lexsort((table["object_id"], table["priority"]))
    else:
        hidden = table["hours"] == 0
        order = np.lexsort((table["object_id"], -table["informativeness"], hidden))
    table = table.iloc[order].reset_index(drop=True)
    return table.assign(rank=table.index + 1)[DETAILS], order


def form(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a list as a form: an observer enters type and time of each spectrum."""
    return rows.assign(mag=rows["mag"].round(2), type="", observed="")[FORM]


def trends(curves: LightCurves, band: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    """Return the trend of each light curve in one band, and the last detection that it starts from.

    Parameters
    ----------
    curves : LightCurves
        Light curves of `n` alerts.
    band : int array, shape (n,)
        Code of the band of each alert.

    Returns
    -------
    float64 array, shape (4, n)
        Change between the last two positive detections of the band at least half a day apart and
        its error [mag / day]; time [MJD] and error [mag] of the last one. NaN without them.
    """
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


def _why(row: dict, flags: Container[str]) -> str:
    """Reason for an object in the list, and those of the target's flags that its alert has."""
    tags = [] if row["tags"] is None else [tag for tag in row["tags"] if tag in flags]
    if isinstance(row["p_reason"], str):
        return ", ".join([f"random sample ({row['p_reason']})", *tags])
    return ", ".join([f"{row['strategy']}, model {row['model_version']}", *tags])
