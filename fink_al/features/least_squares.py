"""Least squares of the sigmoid ``c / (1 + exp(-a (t - b)))``, compiled.

The published features come from SciPy's trust-region method, whose stopping point matters where
rate and offset are nearly degenerate: a plain Levenberg-Marquardt ends elsewhere, and the scores of
the published classifier move. So this follows the same method: Branch, Coleman & Li 1999 without
bounds, the sub-problem solved in the singular basis of the Jacobian (Moré 1978), derivatives by
forward differences, tolerances of 1e-8, and sums by the same library (BLAS): in a flat valley the
last bit of a sum decides where the fit stops.
"""

from __future__ import annotations

import math

import numpy as np

from fink_al.features.compiled import compiled

_TOLERANCE = 1e-8
_MAX_EVALUATIONS = 300
_EPS = float(np.finfo(np.float64).eps)
_STEP = math.sqrt(_EPS)


@compiled
def fit(t, flux, x, residual, trial, jacobian):
    """Improve the parameters `x` in place; whether they could be fitted at all.

    Parameters
    ----------
    t, flux : float64 arrays, shape (m,)
        Times and fluxes.
    x : float64 array, shape (3,)
        Rate, time offset and amplitude: the guess, then the result.
    residual, trial, jacobian : float64 arrays, shapes (m,), (m,), (3, m)
        Work space.

    Returns
    -------
    bool
        False if the guess has no finite residuals, or they no finite derivatives on the way.
    """
    m = len(t)
    v, uf, s = np.empty((3, 3)), np.empty(3), np.empty(3)
    gradient, step, new = np.empty(3), np.empty(3), np.empty(3)
    if not _residuals(t, flux, x, residual):
        return False
    cost = 0.5 * np.dot(residual, residual)
    _differentiate(t, flux, x, residual, trial, jacobian)
    radius = math.sqrt(np.dot(x, x))
    if radius == 0.0:
        radius = 1.0
    alpha, evaluations = 0.0, 1
    while True:
        gradient[:] = np.dot(jacobian, residual)
        steepest = max(abs(gradient[0]), abs(gradient[1]), abs(gradient[2]))
        if steepest < _TOLERANCE or evaluations >= _MAX_EVALUATIONS:
            return True
        if not math.isfinite(steepest) or not _singular(jacobian, residual, v, s, uf):
            return False
        reduction, done = -1.0, False
        while reduction <= 0.0 and evaluations < _MAX_EVALUATIONS:
            alpha = _trust_region_step(m, uf, s, v, radius, alpha, step)
            along = np.dot(step, jacobian)
            predicted = -(0.5 * np.dot(along, along) + np.dot(step, gradient))
            for k in range(3):
                new[k] = x[k] + step[k]
            length = math.sqrt(np.dot(step, step))
            evaluations += 1
            if not _residuals(t, flux, new, trial):
                radius = 0.25 * length
                continue
            new_cost = 0.5 * np.dot(trial, trial)
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
            small = length < _TOLERANCE * (_TOLERANCE + math.sqrt(np.dot(x, x)))
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
def _singular(jacobian, residual, v, s, uf):
    """Write singular values `s`, right vectors `v`, ``U.T residual``; False if not finite."""
    if not np.isfinite(jacobian).all():
        return False
    left, values, right = np.linalg.svd(jacobian.T, full_matrices=False)
    s[:] = values
    uf[:] = np.dot(left.T, residual)
    v[:] = right.T
    return True


@compiled
def _trust_region_step(m, uf, s, v, radius, alpha, step):
    """Write the step of least cost within `radius` to `step`; the multiplier that gives it."""
    full_rank = m >= 3 and s[2] > _EPS * m * s[0]
    if full_rank:
        step[:] = -np.dot(v, uf / s)
        if np.linalg.norm(step) <= radius:
            return 0.0
    upper = np.linalg.norm(s * uf) / radius
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
    step[:] = -np.dot(v, s * uf / (s * s + alpha))
    # The multiplier is not exact: put the step on the boundary.
    step *= radius / np.linalg.norm(step)
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
