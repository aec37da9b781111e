"""A page to take along to the telescope: order, times, finders, light curves, and why."""

from __future__ import annotations

import io
from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from importlib.resources import files
from typing import Any

import jinja2
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from matplotlib import rc_context
from matplotlib.dates import DateFormatter, HourLocator, date2num
from matplotlib.figure import Figure

from fink_al.alerts.stamps import stamps
from fink_al.errors import AlertError, ServiceError
from fink_al.followup.plan.conditions import Conditions, conditions
from fink_al.followup.plan.exposure import Weather
from fink_al.followup.plan.tonight import Tonight
from fink_al.followup.sky import sexagesimal
from fink_al.followup.times import mjd_of, time_of
from fink_al.loop import Loop
from fink_al.report.light_curve import plot_light_curve
from fink_al.report.stamp_images import stamp_image
from fink_al.settings import Telescope

#: Objects that are left out, and shown.
_MOST_LEFT = 40
#: Value of a packet by topic, partition and offset; None if the topic has it no more.
Fetch = Callable[[str, int, int], bytes | None]


def night_page(
    loop: Loop, tonight: Tonight, telescopes: Sequence[Telescope], weather: Weather, fetch: Fetch,
    now: datetime,
) -> str:  # fmt: skip
    """Return a plan as one HTML page that needs no other file and no network.

    Parameters
    ----------
    loop : Loop
        Provides the archive.
    tonight : Tonight
        List and plan.
    telescopes : sequence of Telescope
        Those of the plan: each begins a new sheet of paper.
    weather : Weather
        That of the plan.
    fetch : callable
        Gets the packets of the planned objects, for their cutouts. Once it raises ServiceError, it
        is not asked again.
    now : datetime
        Time at which the page is written, with time zone.
    """
    rows = tonight.rows.sort_values("object_id", ignore_index=True)
    alerts = tonight.listed.alerts
    is_planned = pc.is_in(alerts["object_id"], pa.array(tonight.plan.observations["object_id"]))
    alerts = alerts.filter(is_planned)
    about: dict[str, dict[str, Any]] = {}
    if len(alerts):
        lists = list(loop.alerts.LIGHT_CURVE)
        curves = loop.alerts.light_curves(alerts.select(lists), loop.survey)
        for i, row in enumerate(alerts.drop_columns(lists).to_pylist()):
            figure = plot_light_curve(curves, i)
            figure.set_size_inches(6.5, 2.6)
            about[row["object_id"]] = row | {"curve": _svg(figure)}
    finder = _Finder(loop, fetch)
    nights = []
    for telescope in telescopes:
        night = conditions(telescope, rows, mjd_of(tonight.closes), weather)
        nights.append(_night(tonight, telescope, night, rows, about, finder))
    template = files(__package__).joinpath("night_page.html").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(template).render(
        title=f"{', '.join(tonight.targets) or loop.target.name}, list {tonight.day}",
        nights=nights,
        is_open=tonight.is_open(now),
        closes=f"{tonight.closes:%Y-%m-%d %H:%M}",
        written=f"{now:%Y-%m-%d %H:%M}",
    )


class _Finder:
    """Cutouts of packets, as far as the topic has them."""

    def __init__(self, loop: Loop, fetch: Fetch):
        self._loop, self._fetch, self._problem = loop, fetch, ""

    def of(self, row: dict[str, Any]) -> tuple[dict[str, str], str]:
        """Return pictures by name, and why there are none."""
        if self._problem:
            return {}, self._problem
        if row.get("topic") is None or row.get("offset") is None:
            return {}, "the archive does not say where the packet is"
        try:
            packet = self._fetch(row["topic"], row["partition"], row["offset"])
        except ServiceError:
            self._problem = "the alerts' topic cannot be read"
            return {}, self._problem
        if packet is None:
            return {}, "the topic does not have the packet any more"
        try:
            found = stamps(packet, self._loop.alerts, self._loop.survey)
        except AlertError as error:
            return {}, f"the packet cannot be read ({error.reason})"
        pictures = {name: image for name, data in found.items() if (image := stamp_image(data))}
        return pictures, "" if pictures else "the packet has none"


def _night(
    tonight: Tonight, telescope: Telescope, night: Conditions, rows: pd.DataFrame,
    about: dict[str, dict[str, Any]], finder: _Finder,
) -> dict[str, Any]:  # fmt: skip
    plan = tonight.plan
    planned = plan.observations[plan.observations["telescope"] == telescope.name]
    summary = plan.telescopes.set_index("telescope").loc[telescope.name].to_dict()
    of_object = rows.set_index("object_id")
    objects = []
    for row in planned.to_dict("records"):
        name = row["object_id"]
        alert = about.get(name, {})
        pictures, problem = finder.of(alert)
        objects.append(
            {
                "object_id": name,
                "rank": row["rank"],
                "begin": f"{time_of(row['begin_mjd']):%H:%M}",
                "position": sexagesimal([row["ra"]], [row["dec"]])[0],
                "mag": f"{row['mag']:.2f} ± {row['mag_err']:.2f}",
                "exposures": f"{row['exposures']:.0f} × "
                f"{row['light_min'] * 60 / row['exposures']:.0f} s",
                "minutes": f"{row['minutes']:.0f}",
                "airmass": f"{row['airmass']:.2f}",
                "moon": f"{row['moon_distance_deg']:.0f}",
                "odds": _odds(row, tonight.targets),
                "stamps": pictures,
                "no_stamps": problem,
                "scale": "Pixels as the survey took them; its packet says nothing of north.",
                "star": _star(alert),
                **_chosen(row, of_object.loc[name], alert, tonight.targets),
                "curve": alert.get("curve", ""),
            }
        )
    left = plan.left[(plan.left["telescope"] == telescope.name) | plan.left["telescope"].isna()]
    return {
        "title": telescope.title,
        "opens": f"{time_of(summary['opens_mjd']):%Y-%m-%d %H:%M}",
        "closes": f"{time_of(summary['closes_mjd']):%H:%M}",
        "dark": f"{summary['dark_hours']:.1f}",
        "used": f"{summary['used_hours']:.1f}",
        "moon": f"{100 * night.sky.moon_illuminated.mean():.0f}",
        "objects": objects,
        "left": left.head(_MOST_LEFT).to_dict("records"),
        "chart": _chart(night, rows, planned),
    }


def _odds(row: dict[Hashable, Any], targets: Sequence[str]) -> str:
    """Return the odds of an object, by target where these are several."""
    if not targets:
        return _number(row["odds"], ".2f")
    wanted = row["targets"].split()
    return ", ".join(f"{name} {_number(row[f'{name}_odds'], '.2f')}" for name in wanted)


def _chosen(
    row: dict[Hashable, Any], listed: pd.Series, alert: dict[str, Any], targets: Sequence[str]
) -> dict[str, str]:
    """Return why an object is in the plan, and its draw, by target where these are several."""
    if not targets:
        score = _number(alert.get("informativeness"), ".2f")
        p = _number(alert.get("p"), ".2f")
        return {"why": f"{listed['why']}; P = {p}, score {score}", "draw": f"{_draw(row, '')}."}
    wanted = row["targets"].split()
    why = (f"{n}: {listed[f'{n}_why']}, P = {_number(listed[f'{n}_p'], '.2f')}" for n in wanted)
    draws = (f"{name}: place {row[f'{name}_rank']}, {_draw(row, f'{name}_').lower()}"
             for name in wanted)  # fmt: skip
    return {"why": "; ".join(why), "draw": f"{'; '.join(draws)}."}


def _draw(row: dict[Hashable, Any], of: str) -> str:
    pi, odds = (_number(row[f"{of}{name}"], ".2f") for name in ("pi", "odds"))
    return f"Weight {pi}, priority {_number(row[f'{of}priority'], '.3g')}, odds {odds}"


def _chart(night: Conditions, rows: pd.DataFrame, planned: pd.DataFrame) -> str:
    """Airmass of the planned objects over the night, their blocks, and the Moon's altitude."""
    figure = Figure(figsize=(9, 2.8), layout="constrained")
    axes = figure.add_subplot(ylabel="airmass")
    times = date2num([time_of(mjd) for mjd in night.sky.mjd])
    # A gap between two stretches of darkness is no line.
    gaps = np.flatnonzero(np.diff(times) > 0.02) + 1
    airmass = night.sky.airmass
    at = {name: i for i, name in enumerate(rows["object_id"])}
    most = night.telescope.limits.max_airmass
    for number, row in enumerate(planned.to_dict("records")):
        track = np.where(airmass[at[row["object_id"]]] <= most + 0.5, airmass[at[row["object_id"]]],
                         np.nan)  # fmt: skip
        line = np.insert(track, gaps, np.nan)
        axes.plot(np.insert(times, gaps, np.nan), line, lw=0.8, color=f"C{number % 10}")
        begin = date2num(time_of(row["begin_mjd"]))
        block = (times >= begin) & (times < begin + row["minutes"] / 1440)
        axes.plot(times[block], track[block], lw=4, color=f"C{number % 10}", solid_capstyle="butt")
        middle = begin + row["minutes"] / 2880
        axes.annotate(str(row["rank"]), (middle, row["airmass"]), xytext=(0, 5), ha="center",
                      textcoords="offset points", fontsize=8)  # fmt: skip
    axes.set_ylim(most + 0.3, 0.95)
    axes.axhline(most, color="#999", lw=0.8, ls=":")
    axes.xaxis.set_major_locator(HourLocator())
    axes.xaxis.set_major_formatter(DateFormatter("%H:%M"))
    moon = axes.twinx()
    altitude = np.where(night.sky.moon_altitude_deg > 0, night.sky.moon_altitude_deg, np.nan)
    moon.plot(np.insert(times, gaps, np.nan), np.insert(altitude, gaps, np.nan), "--",
              color="#888", lw=1)  # fmt: skip
    moon.set(ylabel="Moon's altitude [deg], dashed", ylim=(0, 90), xlim=(times[0], times[-1]))
    return _svg(figure)


def _svg(figure: Figure) -> str:
    out = io.StringIO()
    with rc_context({"svg.fonttype": "none"}):  # text stays text
        figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def _star(alert: dict[str, Any]) -> str:
    distance, score = alert.get("star_distance_arcsec"), alert.get("star_score")
    if distance is None:
        return "Nearest catalogued source: not in the packet."
    kind = "" if score is None else f", star/galaxy score {score:.2f} (1 is a star)"
    return f"Nearest catalogued source: {distance:.1f} arcsec away{kind}."


def _number(value: Any, form: str) -> str:
    return "-" if value is None or value != value else format(value, form)
