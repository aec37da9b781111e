"""Picture of a light curve with its fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fink_al.features.nightly import nightly_means
from fink_al.features.sigmoid import MIN_FLUX, REASONS, Sigmoid
from fink_al.lightcurve import LightCurves

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = {
    "u": "#6a3d9a",
    "g": "#2a9d4b",
    "r": "#c8352b",
    "i": "#8c510a",
    "z": "#444",
    "y": "#999",
}


def plot_light_curve(light_curves: LightCurves, index: int = 0, title: str = "") -> Figure:
    """Draw a light curve: detections, limits, and the sigmoid of each band that is fitted.

    Parameters
    ----------
    light_curves : LightCurves
        Batch of light curves.
    index : int
        Index of the light curve in the batch.
    title : str
        Title of the picture.
    """
    from matplotlib.figure import Figure

    one = light_curves.slice(index, index + 1)
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot(title=title, xlabel="MJD", ylabel="flux [FLUXCAL]")
    for code, band in enumerate(one.bands):
        colour = _COLOURS.get(band, "black")
        rows = one.band == code
        seen, limit = rows & one.is_detection, rows & one.is_upper_limit
        if seen.any():
            axes.errorbar(one.mjd[seen], one.flux[seen], one.flux_err[seen], fmt="o", ms=4,
                          color=colour, label=band)  # fmt: skip
        axes.plot(one.mjd[limit], one.flux[limit], "v", ms=5, mfc="none", color=colour)
        forced = rows & one.is_forced
        axes.plot(one.mjd[forced], one.flux[forced], "x", ms=4, color=colour)
        values, reasons = Sigmoid(band).extract(one)
        if reasons[0]:
            if seen.any():
                axes.plot([], [], " ", label=f"{band}: {REASONS[reasons[0]].replace('_', ' ')}")
            continue
        a, b, c = values[0, :3]
        # Nights are whole days in the fit; the curve is drawn at the time of day of the detections.
        nights = nightly_means(one)
        rows = slice(*(ends[0] for ends in nights.of(band)))
        used = nights.flux[rows] > MIN_FLUX
        day, mjd = nights.day[rows][used], nights.mjd[rows][used]
        t = np.linspace(0, np.ptp(day), 200)
        axes.plot(
            day[0] + np.mean(mjd - day) + t, c / (1 + np.exp(-a * (t - b))), "-", lw=1, color=colour
        )
    axes.legend(fontsize="small", frameon=False)
    return figure
