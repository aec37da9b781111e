"""Light curves of lenses and of other sources, made without the package's own formula."""

import numpy as np
import pyarrow as pa

from fink_al.lightcurve import LightCurves


def magnification(t, t0, u0, te):
    """Magnification by the sum of the two images' areas: roots of y^2 - u y - 1 = 0."""
    u = np.sqrt(u0**2 + ((np.asarray(t) - t0) / te) ** 2)
    images = np.array([(u + s * np.sqrt(u * u + 4)) / 2 for s in (1, -1)])
    return np.abs(1 / (1 - images**-4.0)).sum(axis=0)


def curves(*alerts, bands=("g", "r")):
    """Light curves of `alerts`, each a list of (days, band, flux, error).

    A fifth number is a kind: 1 is an upper limit, 2 forced photometry.
    """
    points = np.array([[*p, 0][:5] for alert in alerts for p in alert], float).reshape(-1, 5)
    mjd, band, flux, flux_err, kind = points.T
    return LightCurves(
        offsets=np.concatenate([[0], np.cumsum([len(a) for a in alerts], dtype=int)]),
        mjd=59000 + mjd,
        band=band,
        flux=flux,
        flux_err=flux_err,
        is_upper_limit=kind == 1,
        is_forced=kind == 2,
        bands=bands,
        context=pa.table({}),
    )


def sampled(flux, n=60, days=60.0, error=20.0, seed=1, noise=1.0):
    """Points of ``flux(t, band)`` at random times in two bands."""
    rng = np.random.default_rng(seed)
    t, band = np.sort(rng.uniform(0, days, n)), rng.integers(0, 2, n)
    values = flux(t, band) + noise * rng.normal(0, error, n)
    return [(*row, error) for row in zip(t, band, values, strict=True)]


def lens(t0=30.0, u0=0.3, te=12.0, sources=(1000.0, 2500.0), offsets=(40.0, -60.0)):
    """Difference flux of a lensed source."""
    return lambda t, band: (
        np.take(sources, band) * (magnification(t, t0, u0, te) - 1) + np.take(offsets, band)
    )


def supernova(t, band):
    """A fast rise, a maximum that comes later in the red, and a slow decline."""
    age, rise = t - 15.0, np.take([10.0, 14.0], band)
    late = np.exp(-np.maximum(age - rise, 0) / np.take([12.0, 25.0], band))
    return 4000 * np.sin(np.pi / 2 * np.clip(age / rise, 0, 1)) ** 2 * late


def mira(t, band):
    """A sinusoid of magnitudes, of larger amplitude in the blue, and earlier there."""
    phase = 2 * np.pi * (t - np.take([28.0, 34.0], band)) / 55
    return np.take([150.0, 1500.0], band) * 10 ** (0.4 * np.take([3.5, 2.0], band) * np.cos(phase))
