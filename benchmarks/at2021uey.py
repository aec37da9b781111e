"""Lens features of a light curve like that of AT2021uey, alert by alert, with and without planet.

The light curve is simulated (:mod:`fink_al.simulation.at2021uey`, which says what of it is
published and what assumed) and needs the extra ``lenses``. For each seed of weather and noise, the
first alert that gets the tag ``planetary_anomaly`` of the target microlensing is printed.

    python benchmarks/at2021uey.py [--seeds 200] [--picture docs/pictures/at2021uey.png] [--quick]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from fink_al.features.microlensing.lens import PointLens
from fink_al.settings import load_settings
from fink_al.simulation.at2021uey import case, model, simulated
from fink_al.simulation.lens_alerts import BANDS, Sky, alerts_at, detected

FEATURE = PointLens(BANDS, forced=True)
COLOURS = {"g": "#2a9d4b", "r": "#c8352b"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=200, help="skies of other weather and noise")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="picture to draw")
    parser.add_argument("--quick", action="store_true", help="few skies: only shows that it runs")
    options = parser.parse_args()
    if options.quick:
        options.seeds = 3
    flags = load_settings(environment={"FINK_AL_TARGET": "microlensing"}).target.flags
    above = flags["planetary_anomaly"].above
    lens = case()
    print(f"separation {lens.separation:.2f}, mass ratio {lens.mass_ratio:.1e}, Einstein time "
          f"{lens.te_days:.1f} days, main peak {lens.t0_mjd:.1f}; flag above {above}")  # fmt: skip
    for has_planet in (True, False):
        first = []
        for seed in range(options.seeds):
            mjd, planetary = scored(simulated(seed, has_planet))
            flagged = mjd[planetary > above]
            first.append(flagged.min(initial=np.inf) - lens.t0_mjd)
        early, ever = np.mean(np.array(first) < 0), np.mean(np.isfinite(first))
        print(f"{'with' if has_planet else 'without'} planet: flagged before the main peak in "
              f"{early:.0%} of {len(first)} skies, ever in {ever:.0%}; first flag "
              f"{np.median(first):+.1f} days from the peak in the median")  # fmt: skip
    if options.picture:
        draw(options.picture, above)
        print(f"{options.picture} written")


def scored(sky: Sky) -> tuple[np.ndarray, np.ndarray]:
    """Time and `lens_planetary` of every alert, NaN where it is missing."""
    rows = np.flatnonzero(detected(sky.curves) & (sky.curves.mjd > sky.first_mjd + 30))
    values, _ = FEATURE.extract(alerts_at(sky.curves, rows))
    return sky.curves.mjd[rows], values[:, FEATURE.names.index("lens_planetary")]


def draw(file: Path, above: float) -> None:
    """Draw the light curve, and `lens_planetary` of each alert with and without the planet."""
    from matplotlib.figure import Figure

    lens, sky = case(), simulated(0)
    figure = Figure(figsize=(7, 5), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    curves = sky.curves
    for code, band in enumerate(BANDS):
        rows = curves.band == code
        days, flux, error = curves.mjd[rows] - lens.t0_mjd, curves.flux[rows], curves.flux_err[rows]
        top.errorbar(days, flux, error, fmt="o", ms=3, lw=0.8, color=COLOURS[band], label=band)
    grid = np.linspace(curves.mjd.min(), curves.mjd.max(), 4000)
    source = 10 ** (-0.4 * (17.5 - 27.5))
    for has_planet, style in ((True, "-"), (False, ":")):
        top.plot(grid - lens.t0_mjd, source * (model(grid, has_planet) - 1), style, lw=0.8,
                 color="black", label="r, with planet" if has_planet else "r, without")  # fmt: skip
        mjd, planetary = scored(simulated(0, has_planet))
        bottom.plot(mjd - lens.t0_mjd, planetary, "o" if has_planet else "x", ms=4,
                    color="black" if has_planet else "#999")  # fmt: skip
    bottom.axhline(above, lw=0.8, ls="--", color="#c8352b")
    top.set(ylabel="difference flux [FLUXCAL]", title="Simulated, after AT2021uey")
    bottom.set(xlabel="days from the main peak", ylabel="lens_planetary", yscale="log")
    top.legend(fontsize="small", frameon=False)
    figure.savefig(file, dpi=120)


if __name__ == "__main__":
    main()
