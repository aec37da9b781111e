"""Magnification of a point source by a point lens, and its derivative, compiled."""

from __future__ import annotations

import math

from fink_al.features.compiled import compiled


@compiled
def excess_and_slope(square):
    """Return the magnification minus one, and its derivative with respect to `square`.

    `square` is that of the separation, above 0 [Einstein radius^2].

    Source: Paczynski 1986 (ApJ 304, 1), A = (u^2 + 2) / (u sqrt(u^2 + 4)). The difference to one is
    written without cancellation, because ``(u^2 + 2)^2 - u^2 (u^2 + 4)`` is 4.
    """
    root = math.sqrt(square * (square + 4.0))
    top = square + 2.0 + root
    inverse = 1.0 / (root * top)
    per_root = top * inverse
    return 4.0 * inverse, -4.0 * per_root * per_root * per_root
