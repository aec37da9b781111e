"""Images in FITS form (standard 4.0, section 4), for the cutouts of simulated packets."""

from __future__ import annotations

import numpy as np

_BLOCK = 2880


def hdu(image: np.ndarray, first: tuple[str, str], *last: tuple[str, str]) -> bytes:
    """Encode one image as header and data; `first` and `last` are cards around its shape's."""
    height, width = image.shape
    shape = (("BITPIX", -8 * image.itemsize), ("NAXIS", 2), ("NAXIS1", width), ("NAXIS2", height))
    cards = [
        f"{key:<8}= {value:<20}" if str(value)[0] == "'" else f"{key:<8}= {value:>20}"
        for key, value in (first, *shape, *last)
    ]
    header = "".join(f"{card:<80}" for card in [*cards, "END"]).encode()
    data = image.tobytes()
    padded = -len(header) % _BLOCK, -len(data) % _BLOCK
    return header + b" " * padded[0] + data + bytes(padded[1])
