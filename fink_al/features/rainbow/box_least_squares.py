"""Least squares of the black body of a rising transient between bounds, compiled.

The method of Levenberg and Marquardt on the normal equations, with the damping of Nielsen (1999). A
step leaves out a parameter on a bound that the gradient pushes outwards, and ends at the bounds.
:mod:`fink_al.features.least_squares` cannot replace it: it repeats SciPy's method to the last bit
for three parameters, without bounds. Normal equations lose half of the digits. The other half is
enough, because the parameters are of order one (scales enter as logarithms).
"""

from __future__ import annotations

import math

import numpy as np

from fink_al.features.compiled import compiled
from fink_al.features.rainbow.black_body import normal_equations

_TOLERANCE = 1e-7
_MAX_EVALUATIONS = 300
_LARGEST_DAMPING = 1e12


@compiled
def fit_between(t, flux, weight, hot, factor, low, high, longest, x, gradient, hessian):
    """Improve the parameters `x` in place. Return the cost; not finite if the fit failed.

    Parameters
    ----------
    t, flux, weight, hot, factor : float64 arrays, shape (m,)
        As in :func:`fink_al.features.rainbow.black_body.normal_equations`.
    low, high : float64 arrays, shape (6,)
        Bounds.
    longest : float64 array, shape (6,)
        Longest step of each parameter. Where a temperature is constant its time scale is not
        constrained, and a free step would end at a bound from which no gradient leads back.
    x : float64 array, shape (6,)
        The guess, within the bounds, then the result.
    gradient, hessian : float64 arrays, shapes (6,), (6, 6)
        Derivatives at the result.
    """
    n = len(x)
    new, step = np.empty(n), np.empty(n)
    new_gradient, new_hessian = np.empty(n), np.empty((n, n))
    factored, free = np.empty((n, n)), np.empty(n, np.bool_)
    cost = normal_equations(t, flux, weight, hot, factor, x, gradient, hessian)
    damping, growth = 1e-2, 2.0
    for _ in range(_MAX_EVALUATIONS):
        if not math.isfinite(cost):
            return cost
        for a in range(n):
            outwards = (x[a] <= low[a] and gradient[a] > 0.0) or (
                x[a] >= high[a] and gradient[a] < 0.0
            )
            free[a] = not outwards and hessian[a, a] > 0.0
        if not factorise(hessian, damping, longest, free, factored):
            damping *= growth
            growth *= 2.0
            if damping > _LARGEST_DAMPING:
                return cost
            continue
        solve(factored, free, gradient, step)
        shrink, cut = 1.0, False
        for a in range(n):
            if abs(step[a]) > longest[a]:
                shrink = min(shrink, longest[a] / abs(step[a]))
        for a in range(n):
            wanted = x[a] - shrink * step[a]
            new[a] = min(max(wanted, low[a]), high[a])
            cut = cut or new[a] != wanted
            step[a] = new[a] - x[a]
        along = 0.0
        for a in range(n):
            along += step[a] * (gradient[a] + 0.5 * hessian[a, a] * step[a])
            for b in range(a):
                along += step[a] * hessian[a, b] * step[b]
        predicted = -along
        if predicted <= _TOLERANCE * 1e-3 * cost and damping <= 1.0 and not cut:
            return cost
        new_cost = normal_equations(t, flux, weight, hot, factor, new, new_gradient, new_hessian)
        reduction = cost - new_cost
        if reduction > 0.0 and predicted > 0.0:
            small = max(reduction, predicted) < _TOLERANCE * cost and damping <= 1.0
            x[:], gradient[:], hessian[:] = new, new_gradient, new_hessian
            cost = new_cost
            ratio = min(reduction / predicted, 1.0)
            damping = max(damping * max(0.1, 1.0 - (2.0 * ratio - 1.0) ** 3), 1e-12)
            growth = 2.0
            if small:
                return cost
        else:
            damping *= growth
            growth *= 2.0
            if damping > _LARGEST_DAMPING:
                return cost
    return cost


@compiled
def factorise(matrix, damping, scale, free, out):
    """Write Cholesky's factor of the free part of `matrix`, its diagonal raised, to `out`.

    Parameters
    ----------
    matrix : float64 array, shape (n, n)
        Symmetric; its lower triangle is read.
    damping : float
        Share of itself and of ``1 / scale^2`` by which the diagonal is raised.
    scale : float64 array, shape (n,)
        Size of a large step.
    free : bool array, shape (n,)
        Rows and columns in use; others become those of the unit matrix.
    out : float64 array, shape (n, n)
        Result, its lower triangle.

    Returns
    -------
    bool
        Whether the matrix is positive to numerical precision.
    """
    n = len(matrix)
    for a in range(n):
        for b in range(a + 1):
            total = 0.0
            if free[a] and free[b]:
                total = matrix[a, b]
                for c in range(b):
                    total -= out[a, c] * out[b, c]
            if a == b:
                diagonal = 1.0
                if free[a]:
                    diagonal = matrix[a, a]
                    total += damping * (diagonal + 1.0 / (scale[a] * scale[a]))
                else:
                    total = 1.0
                if not total > 1e-14 * diagonal:
                    return False
                out[a, a] = math.sqrt(total)
            else:
                out[a, b] = total / out[b, b]
    return True


@compiled
def solve(factored, free, right, out):
    """Write the solution for the right side `right`, zero where not `free`, to `out`."""
    n = len(right)
    for a in range(n):
        total = right[a] if free[a] else 0.0
        for b in range(a):
            total -= factored[a, b] * out[b]
        out[a] = total / factored[a, a]
    for a in range(n - 1, -1, -1):
        total = out[a]
        for b in range(a + 1, n):
            total -= factored[b, a] * out[b]
        out[a] = total / factored[a, a]
