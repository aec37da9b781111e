"""Simulated lists of scored objects, drawn with known odds and observed under changing weather.

Only numbers are simulated, no light curves: what a classifier says of an object in each list, what
the object is, and which spectra are taken. It serves to measure estimates against the truth.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.special import entr, expit, logit

from fink_al import draws
from fink_al.settings import DrawSettings

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class DrawnSky:
    """Sky, classifier, telescope and draw of a simulated campaign.

    Parameters
    ----------
    lists : int
        Number of lists.
    new_objects : int
        Objects that appear in each list.
    share : float
        Share of positives among objects.
    separation : float
        Distance of the classes in one sigma of the classifier's evidence.
    shift, slope : float
        Error of the classifier's log odds: they are multiplied by `slope`, then `shift` is added.
    stays : float
        Probability that an object is in the next list, too.
    batches : int
        Micro-batches of a list; the threshold falls from one to the next.
    published : float
        Expected number of objects that the threshold publishes in a list.
    spectra : float
        Mean number of spectra in a clear night, at least 1.
    cloudy : float
        Share of nights without spectra.
    half_typed_magnitude : float
        Magnitude at which half of the spectra show a type; infinite: all do.
    draw : DrawSettings
        Exponent of the entropy, and the uniform share.
    """

    lists: int = 40
    new_objects: int = 80
    share: float = 0.07
    separation: float = 1.3
    shift: float = 0.6
    slope: float = 0.9
    stays: float = 0.4
    batches: int = 4
    published: float = 30.0
    spectra: float = 4.0
    cloudy: float = 0.25
    half_typed_magnitude: float = 19.75
    draw: DrawSettings = field(default_factory=DrawSettings)


@dataclass(frozen=True)
class DrawnCampaign:
    """All rows of all lists that were observed, an object and list each; arrays of shape (n,).

    Parameters
    ----------
    object_id, list : int64 array
        The row.
    p : float64 array
        Probability by the classifier at that time.
    positive : bool array
        Class of the object.
    mag, airmass : float64 array
        Of a spectrum of the object.
    is_typed : bool array
        Whether a spectrum of the object shows its type.
    odds : float64 array
        Odds of the rows that were drawn; NaN of the others.
    """

    object_id: npt.NDArray[np.int64]
    list: npt.NDArray[np.int64]
    p: Floats
    positive: npt.NDArray[np.bool_]
    mag: Floats
    airmass: Floats
    is_typed: npt.NDArray[np.bool_]
    odds: Floats


def draw_campaign(
    sky: DrawnSky, rng: np.random.Generator, luck: np.random.Generator | None = None
) -> DrawnCampaign:
    """Simulate one campaign.

    A list in a cloudy night is no part of it: nobody drew from it. Weather depends on no object.

    Parameters
    ----------
    sky : DrawnSky
        What to simulate.
    rng : numpy.random.Generator
        Chance of objects and classifier.
    luck : numpy.random.Generator, optional
        Chance of draws and weather; another one gives other draws of the same sky.  Default: `rng`.
    """
    luck = luck or rng
    n = sky.lists * sky.new_objects
    positive = rng.random(n) < sky.share
    evidence = rng.normal(size=n) + sky.separation * positive
    mag = np.minimum(rng.normal(19.0, 0.7, n), 20.0) - 0.2 * positive
    airmass = rng.uniform(1, 2, n)
    typed = rng.random(n) < expit(-(mag + 0.3 * (airmass - 1) - sky.half_typed_magnitude) / 0.5)
    first = np.repeat(np.arange(sky.lists), sky.new_objects)
    last = first + rng.geometric(1 - sky.stays, n) - 1
    taken = np.zeros(n, bool)
    parts = []
    mean, t = _mean_score(sky, _p(sky, evidence[: sky.new_objects], rng)), draws.MOST_T
    for number in range(sky.lists):
        objects = rng.permutation(np.flatnonzero((first <= number) & (number <= last)))
        p = _p(sky, evidence[objects], rng)
        pi = draws.weights(entr(p) + entr(1 - p), mean, sky.draw)
        mean = _mean_score(sky, p)
        u = luck.random(len(objects))
        priority = draws.priorities(u, pi)
        # What the list has shown so far decides about t, and what earlier lists have shown.
        ends = np.linspace(0, len(objects), sky.batches + 1).astype(int)[1:]
        seen = [draws.threshold(pi[:end], np.ones(end), sky.published) for end in ends]
        falling = np.minimum.accumulate(np.minimum(seen, t))
        t = seen[-1]
        published = priority < falling[np.searchsorted(ends, np.arange(len(objects)), "right")]
        if luck.random() < sky.cloudy:
            continue
        open_ = ~taken[objects]
        queue = np.flatnonzero(open_ & published)
        queue = queue[np.argsort(priority[queue])][: 1 + luck.poisson(sky.spectra - 1)]
        now = np.zeros(len(objects), bool)
        now[queue] = True
        tau = draws.smallest_untaken(priority[open_], now[open_], float(falling[-1]))
        drawn = np.where(now & (priority < tau), draws.odds(pi, tau), np.nan)
        drawn[~open_] = 1
        taken[objects[now]] = True
        parts.append((objects, np.full(len(objects), number), p, drawn))
    objects, lists, p, odds = (np.concatenate(part) for part in zip(*parts, strict=True))
    return DrawnCampaign(
        objects, lists, p, positive[objects], mag[objects], airmass[objects], typed[objects], odds
    )


def _p(sky: DrawnSky, evidence: Floats, rng: np.random.Generator) -> Floats:
    """Say what the classifier says: log odds of noisy evidence, with the classifier's error."""
    noisy = (evidence + rng.normal(size=len(evidence)) * 0.5) / np.hypot(1, 0.5)
    distance = sky.separation / np.hypot(1, 0.5)
    true = logit(sky.share) + distance * noisy - distance**2 / 2
    return np.asarray(expit(sky.slope * true + sky.shift))


def _mean_score(sky: DrawnSky, p: Floats) -> float:
    return float(np.mean((entr(p) + entr(1 - p)) ** sky.draw.exponent))
