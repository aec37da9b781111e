"""Colours of stars in other bands than g and r."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Magnitude in another band less that in r: at g - r = 0, for each magnitude of g - r, and scatter;
#: and what is added for kinds off this line. Round numbers of our own, near the stars of Covey et
#: al. 2007 behind some dust: accretion and quasars are bright in u, Be stars have a small Balmer
#: jump, and Miras are redder than dust makes stars.
_BESIDE = {
    "u": (0.7, 2.2, 0.3),
    "i": (0.0, -0.45, 0.05),
    "z": (0.0, -0.65, 0.08),
    "y": (0.0, -0.75, 0.1),
}
_OFF_LINE = {
    "AGN": {"u": -0.8},
    "CV": {"u": -0.8},
    "Be star": {"u": -0.4},
    "young star": {"u": -0.3},
    "Mira": {"i": -0.6, "z": -1.1, "y": -1.4},
}


def in_bands(
    bands: tuple[str, ...], kinds: npt.NDArray, g: Floats, r: Floats, rng: np.random.Generator
) -> Floats:
    """Return magnitudes of stars of `kinds` in `bands` by those in g and r, shape (n, b)."""
    mags = {"g": g, "r": r}
    for band in bands:
        if band not in mags:
            at_zero, slope, own = _BESIDE[band]
            off = np.array([_OFF_LINE.get(kind, {}).get(band, 0.0) for kind in kinds])
            mags[band] = r + at_zero + slope * (g - r) + off + own * rng.normal(size=len(r))
    return np.stack([mags[band] for band in bands], axis=1)
