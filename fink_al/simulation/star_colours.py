"""Colours of stars: g - r by kind, and other bands."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Mean and scatter of g - r behind the dust of the plane, by kind; of others, lensed stars among
#: them, `_STAR_COLOUR`. In round numbers of our own: Be stars are of type B, which is 0.8 bluer
#: than most stars (Covey et al. 2007, AJ 134, 2398), RR Lyrae of types A and F, young and spotted
#: stars of late ones, semi-regular giants and Miras of the coolest, discs of dwarf novae hot,
#: quasars of g - r = 0.2 without dust (Richards et al. 2001, AJ 121, 2308).
_COLOURS = {
    "Be star": (0.1, 0.4),
    "young star": (1.2, 0.4),
    "Mira": (1.8, 0.5),
    "CV": (0.4, 0.3),
    "AGN": (0.4, 0.3),
    "RR Lyrae": (0.5, 0.3),
    "semi-regular": (1.6, 0.5),
    "spotted star": (1.2, 0.4),
}
_STAR_COLOUR = (0.9, 0.4)

#: Magnitude in another band less that in r: at g - r = 0, for each magnitude of g - r, and scatter;
#: and what is added for kinds off this line. Round numbers of our own, near the stars of Covey et
#: al. 2007 behind some dust: accretion and quasars are bright in u, Be stars have a small Balmer
#: jump, and Miras and semi-regular giants are redder than dust makes stars.
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
    "semi-regular": {"i": -0.3, "z": -0.5, "y": -0.7},
}


def g_minus_r(kinds: npt.NDArray, rng: np.random.Generator) -> Floats:
    """Draw g - r of stars of `kinds`, shape (n,)."""
    mean, scatter = np.array([_COLOURS.get(kind, _STAR_COLOUR) for kind in kinds]).reshape(-1, 2).T
    return np.asarray(mean + scatter * rng.normal(size=len(kinds)))


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
