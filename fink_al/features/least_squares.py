"""Least squares of the sigmoid ``c / (1 + exp(-a (t - b)))``, compiled.

The published features come from SciPy's trust-region method. Its stopping point matters where rate
and offset are nearly degenerate: a plain Levenberg-Marquardt stops elsewhere and changes the scores
of the published classifier. So this follows the same method: Branch, Coleman & Li 1999 without
bounds, the sub-problem solved in the singular basis of the Jacobian (Moré 1978), derivatives by
forward differences, tolerances of 1e-8, and sums by the same library (BLAS), because in a flat
valley the last bit of a sum decides where the fit stops.
"""

from __future__ import annotations

import math

import numpy as np

from fink_al.features.compiled import compiled

_TOLERANCE = 1e-8
_MAX_EVALUATIONS = 300
_MAX_SWEEPS = 30
_EPS = float(np.finfo(np.float64).eps)
_STEP = math.sqrt(_EPS)


@compiled
def fit(t, flux, x, residual, trial, jacobian, rotated):
    """Improve the parameters `x` in place. Return False if they could not be fitted.

    Parameters
    ----------
    t, flux : float64 arrays, shape (m,)
        Times and fluxes.
    x : float64 array, shape (3,)
        Rate, time offset and amplitude: the guess, then the result.
    residual, trial, jacobian, rotated : float64 arrays, shapes (m,), (m,), (3, m), (3, m)
        Work space.

    Returns
    -------
    bool
        False if the residuals of the guess, or derivatives during the fit, are not finite.
    """
    m = len(t)
    v, uf, s = np.empty((3, 3)), np.empty(3), np.empty(3)
    gradient, step, new = np.empty(3), np.empty(3), np.empty(3)
    if not _residuals(t, flux, x, residual):
        return False
    cost = 0.5 * _dot(residual, residual)
    _differentiate(t, flux, x, residual, trial, jacobian)
    radius = math.sqrt(_dot(x, x))
    if radius == 0.0:
        radius = 1.0
    alpha, evaluations = 0.0, 1
    while True:
        for k in range(3):
            gradient[k] = _dot(jacobian[k], residual)
        steepest = max(abs(gradient[0]), abs(gradient[1]), abs(gradient[2]))
        if steepest < _TOLERANCE or evaluations >= _MAX_EVALUATIONS:
            return True
        if not math.isfinite(steepest) or not _singular(jacobian, residual, rotated, v, s, uf):
            return False
        reduction, done = -1.0, False
        while reduction <= 0.0 and evaluations < _MAX_EVALUATIONS:
            alpha = _trust_region_step(m, uf, s, v, radius, alpha, step)
            along = 0.0
            for i in range(m):
                d = step[0] * jacobian[0, i] + step[1] * jacobian[1, i] + step[2] * jacobian[2, i]
                along += d * d
            predicted = -(0.5 * along + _dot(step, gradient))
            for k in range(3):
                new[k] = x[k] + step[k]
            length = math.sqrt(_dot(step, step))
            evaluations += 1
            if not _residuals(t, flux, new, trial):
                radius = 0.25 * length
                continue
            new_cost = 0.5 * _dot(trial, trial)
            reduction = cost - new_cost
            ratio = 0.0
            if predicted > 0.0:
                ratio = reduction / predicted
            elif predicted == 0.0 and reduction == 0.0:
                ratio = 1.0
            new_radius = radius
            if ratio < 0.25:
                new_radius = 0.25 * length
            elif ratio > 0.75 and length > 0.95 * radius:
                new_radius = 2.0 * radius
            small = length < _TOLERANCE * (_TOLERANCE + math.sqrt(_dot(x, x)))
            if small or (reduction < _TOLERANCE * cost and ratio > 0.25):
                done = True
                break
            alpha *= radius / new_radius
            radius = new_radius
        if reduction > 0.0:
            for k in range(3):
                x[k] = new[k]
            for i in range(m):
                residual[i] = trial[i]
            cost = new_cost
        if done:
            return True
        if reduction > 0.0:
            _differentiate(t, flux, x, residual, trial, jacobian)


@compiled
def _dot(a, b):
    total = 0.0
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


@compiled
def _residuals(t, flux, x, out):
    finite = True
    for i in range(len(t)):
        out[i] = abs(flux[i] - x[2] / (1.0 + math.exp(-x[0] * (t[i] - x[1]))))
        finite = finite and math.isfinite(out[i])
    return finite


@compiled
def _differentiate(t, flux, x, residual, moved, jacobian):
    for k in range(3):
        start = x[k]
        sign = 1.0 if start >= 0.0 else -1.0
        x[k] = start + _STEP * sign * max(1.0, abs(start))
        width = x[k] - start
        _residuals(t, flux, x, moved)
        x[k] = start
        for i in range(len(t)):
            jacobian[k, i] = (moved[i] - residual[i]) / width


@compiled
def _singular(jacobian, residual, rotated, v, s, uf):
    """Write singular values `s`, right vectors `v`, `uf` = ``U.T residual``. False: not finite.

    One-sided Jacobi rotations (Hestenes 1958): for three columns much faster than a library call,
    and as accurate.
    """
    m = jacobian.shape[1]
    for k in range(3):
        for i in range(m):
            if not math.isfinite(jacobian[k, i]):
                return False
            rotated[k, i] = jacobian[k, i]
        for j in range(3):
            v[k, j] = 1.0 if k == j else 0.0
    for _ in range(_MAX_SWEEPS):
        is_done = True
        for p in range(2):
            for q in range(p + 1, 3):
                pp = qq = pq = 0.0
                for i in range(m):
                    a, b = rotated[p, i], rotated[q, i]
                    pp += a * a
                    qq += b * b
                    pq += a * b
                if abs(pq) <= _EPS * math.sqrt(pp * qq):
                    continue
                is_done = False
                zeta = (qq - pp) / (2.0 * pq)
                tangent = math.copysign(1.0, zeta) / (abs(zeta) + math.sqrt(1.0 + zeta * zeta))
                cosine = 1.0 / math.sqrt(1.0 + tangent * tangent)
                sine = cosine * tangent
                for i in range(m):
                    a, b = rotated[p, i], rotated[q, i]
                    rotated[p, i] = cosine * a - sine * b
                    rotated[q, i] = sine * a + cosine * b
                for k in range(3):
                    a, b = v[k, p], v[k, q]
                    v[k, p] = cosine * a - sine * b
                    v[k, q] = sine * a + cosine * b
        if is_done:
            break
    for k in range(3):
        s[k] = math.sqrt(_dot(rotated[k], rotated[k]))
        uf[k] = _dot(rotated[k], residual) / s[k] if s[k] > 0.0 else 0.0
    for p in range(2):  # largest first
        for q in range(p + 1, 3):
            if s[q] > s[p]:
                s[p], s[q] = s[q], s[p]
                uf[p], uf[q] = uf[q], uf[p]
                for k in range(3):
                    v[k, p], v[k, q] = v[k, q], v[k, p]
    return math.isfinite(s[0])


@compiled
def _trust_region_step(m, uf, s, v, radius, alpha, step):
    """Write the step of least cost within `radius` to `step`. Return its multiplier."""
    full_rank = m >= 3 and s[2] > _EPS * m * s[0]
    if full_rank:
        for k in range(3):
            step[k] = -(v[k, 0] * uf[0] / s[0] + v[k, 1] * uf[1] / s[1] + v[k, 2] * uf[2] / s[2])
        if math.sqrt(_dot(step, step)) <= radius:
            return 0.0
    upper = math.sqrt((s[0] * uf[0]) ** 2 + (s[1] * uf[1]) ** 2 + (s[2] * uf[2]) ** 2) / radius
    lower = 0.0
    if full_rank:
        phi, slope = _excess(uf, s, 0.0, radius)
        lower = -phi / slope
    if not full_rank and alpha == 0.0:
        alpha = max(0.001 * upper, math.sqrt(lower * upper))
    for _ in range(10):
        if alpha < lower or alpha > upper:
            alpha = max(0.001 * upper, math.sqrt(lower * upper))
        phi, slope = _excess(uf, s, alpha, radius)
        if phi < 0.0:
            upper = alpha
        ratio = phi / slope
        lower = max(lower, alpha - ratio)
        alpha -= (phi + radius) * ratio / radius
        if abs(phi) < 0.01 * radius:
            break
    for k in range(3):
        step[k] = 0.0
        for j in range(3):
            step[k] -= v[k, j] * s[j] * uf[j] / (s[j] * s[j] + alpha)
    # The multiplier is not exact: put the step on the boundary.
    scale = radius / math.sqrt(_dot(step, step))
    for k in range(3):
        step[k] *= scale
    return alpha


@compiled
def _excess(uf, s, alpha, radius):
    norm = slope = 0.0
    for k in range(3):
        suf, denominator = s[k] * uf[k], s[k] * s[k] + alpha
        norm += (suf / denominator) ** 2
        slope -= suf * suf / denominator**3
    norm = math.sqrt(norm)
    return norm - radius, slope / norm
