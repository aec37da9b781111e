"""Cutouts of an alert as pictures for a page."""

from __future__ import annotations

import base64
import io
import warnings

import numpy as np
import numpy.typing as npt

#: Largest side of a cutout [pixel].
_MOST_PIXELS = 512
#: Share of the pixels, in percent, between which grey values are spread.
_GREYS = (1.0, 99.5)


def stamp_image(fits: bytes) -> str | None:
    """Return a cutout as the address of a PNG picture within a page; None if it holds no image.

    Rows are drawn from the bottom, as astronomers do; north is where the survey's pixels have it.

    Parameters
    ----------
    fits : bytes
        A FITS file; the first image of two axes counts.
    """
    from matplotlib.image import imsave

    image = _pixels(fits)
    if image is None:
        return None
    low, high = np.nanpercentile(image, _GREYS)
    out = io.BytesIO()
    imsave(
        out, np.nan_to_num(image, nan=low), vmin=low, vmax=max(high, low + 1e-9), cmap="gray",
        origin="lower", format="png",
    )  # fmt: skip
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def _pixels(data: bytes) -> npt.NDArray[np.float64] | None:
    from astropy.io import fits
    from astropy.utils.exceptions import AstropyWarning

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            with fits.open(io.BytesIO(data), memmap=False, lazy_load_hdus=True) as units:
                for unit in units:
                    shape = unit.header.get("NAXIS1", 0), unit.header.get("NAXIS2", 0)
                    is_flat = unit.header.get("NAXIS") == 2 and not isinstance(
                        unit, fits.BinTableHDU
                    )
                    if is_flat and min(shape) > 0 and max(shape) <= _MOST_PIXELS:
                        image = np.asarray(unit.data, np.float64)
                        return image if np.isfinite(image).any() else None
    except Exception:  # whatever untrusted bytes make the reader say
        return None
    return None
