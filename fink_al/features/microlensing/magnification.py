"""Magnification of a point source by a point lens, and its derivatives, compiled."""

from __future__ import annotations

import math

from fink_al.features.compiled import compiled


@compiled
def excess(square):
    """Return the magnification minus one at the square of a separation above 0 [Einstein radius^2].

    Source: Paczynski 1986 (ApJ 304, 1), A = (u^2 + 2) / (u sqrt(u^2 + 4)). The difference to one is
    written without cancellation, because ``(u^2 + 2)^2 - u^2 (u^2 + 4)`` is 4.
    """
    root = math.sqrt(square * (square + 4.0))
    return 4.0 / (root * (square + 2.0 + root))


@compiled
def excess_slope(u):
    """Return the derivative of the magnification with respect to `u`."""
    square = u * u + 4.0
    return -8.0 / (u * u * square * math.sqrt(square))
