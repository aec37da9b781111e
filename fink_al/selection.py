"""Which alerts become candidates, and why the others do not.

Every cut sets its bit when an alert fails it; an alert without any bit is a candidate. A context
value that a survey or packet does not have is no failure: the record says null. A null distance to
an asteroid is one where the alert is attributed to an asteroid all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fink_al.settings import Target
from fink_al.strategies import strategy
from fink_al.strategies.pool import Pool

#: Names of the bits of a rejection, from the lowest. Names are never reordered or reused: archived
#: alerts keep them as words, but a running stream and its readers share this list.
REASONS = (
    "bad_pixels",
    "real_bogus",
    "deep_real_bogus",
    "classtar",
    "declination",
    "too_old",
    "host_class",
    "star",
    "asteroid",
    "negative_subtraction",
    "too_faint",
    "not_scored",
    "certain",
    "not_sampled",
    "already_labelled",
    "already_published",
    "night_full",
    "band",
    "many_detections",
)

#: Those of them that are of the alert itself: neither telescope, nor model, nor what was asked for.
CUTS = (*REASONS[: REASONS.index("too_faint")], "band", "many_detections")

#: Context columns that the cuts read, each float64 of shape (n,) with NaN for null.
CONTEXT = (
    "mjd",
    "dec",
    "mag",
    "is_positive",
    "real_bogus",
    "deep_real_bogus",
    "n_bad_pixels",
    "classtar",
    "star_score",
    "star_distance_arcsec",
    "asteroid_distance_arcsec",
    "is_known_asteroid",
    "first_detection_mjd",
    "n_detections",
)


@lru_cache(maxsize=1)
def extragalactic_classes() -> tuple[str, ...]:
    """Classes of Fink's catalogue cross-match that do not rule out a supernova."""
    # Late, because nothing but this list is needed of a package that brings many.
    from fink_utils.xmatch.simbad import return_list_of_eg_host

    return tuple(map(str, return_list_of_eg_host()))


@dataclass(frozen=True)
class Selection:
    """Outcome of the cuts for `n` alerts.

    Parameters
    ----------
    rejected : int64 array, shape (n,)
        Bit ``i`` is set where the alert fails ``REASONS[i]``; 0 is a candidate.
    informativeness : float64 array, shape (n,)
        Of the query strategy; NaN where it cannot tell.
    """

    rejected: npt.NDArray[np.int64]
    informativeness: npt.NDArray[np.float64]


def select(
    context: Mapping[str, npt.NDArray],
    *,
    host_is_allowed: npt.NDArray,
    band_is_allowed: npt.NDArray,
    history_start_mjd: npt.NDArray,
    p: npt.NDArray,
    has_model: bool,
    has_features: npt.NDArray,
    uniform: npt.NDArray,
    is_labelled: npt.NDArray,
    is_published: npt.NDArray,
    is_night_full: npt.NDArray,
    target: Target,
) -> Selection:
    """Cuts and informativeness of a batch of alerts.

    Parameters
    ----------
    context : mapping of str to array
        The columns of `CONTEXT`.
    host_is_allowed : float array
        1 or 0 by the catalogue class of the host, NaN where the alert has no such class: then the
        star/galaxy score and the distance to the nearest catalogued source serve instead.
    band_is_allowed : float array
        1 or 0 by the band of the alert; NaN where it has none.
    history_start_mjd : float array
        First detection in the alert's own history; the age counts from it where it is later than
        the survey's own first detection, which is unreliable for objects that reappear.
    p : float array
        Probability of the target's class; NaN where not scored.
    has_model : bool
        Whether there is a model. Without one a random sample is asked for.
    has_features : bool array
        Whether any feature exists.
    uniform : float array
        Hash of object, night and seed on [0, 1).
    is_labelled, is_published, is_night_full : bool arrays
        The object has a type; it was published this night; the night's candidates are complete.
    target : Target
        Cuts, follow-up limits and strategy.
    """
    cuts, follow_up = target.cuts, target.follow_up
    begun = np.fmax(context["first_detection_mjd"], history_start_mjd)
    no_class = np.isnan(host_is_allowed)
    is_star = (context["star_score"] > cuts.max_star_score) & (
        context["star_distance_arcsec"] < cuts.min_star_distance_arcsec
    )
    asteroid_distance = context["asteroid_distance_arcsec"]
    fails = {
        "bad_pixels": context["n_bad_pixels"] > cuts.max_bad_pixels,
        "real_bogus": context["real_bogus"] < cuts.min_real_bogus,
        "deep_real_bogus": context["deep_real_bogus"] <= cuts.min_drb,
        "classtar": context["classtar"] <= cuts.min_classtar,
        "declination": context["dec"] >= cuts.max_declination_deg,
        "too_old": context["mjd"] - begun > cuts.max_age_days,
        "host_class": (host_is_allowed == 0) & (cuts.host_classes != "any"),
        "star": no_class & is_star,
        "asteroid": (asteroid_distance <= cuts.min_asteroid_distance_arcsec)
        | (np.isnan(asteroid_distance) & (context["is_known_asteroid"] == 1)),
        "negative_subtraction": context["is_positive"] == 0,
        "band": band_is_allowed == 0,
        "many_detections": context["n_detections"] > cuts.max_detections,
        "too_faint": context["mag"] > follow_up.max_magnitude,
        "not_scored": ~has_features,
        "already_labelled": is_labelled,
        "already_published": is_published,
        "night_full": is_night_full,
    }
    if has_model:
        fails["certain"] = np.abs(p - 0.5) > follow_up.uncertainty_width
        informativeness = strategy(target.strategy, in_stream=True)(Pool(p, uniform))
    else:
        fails["not_sampled"] = uniform >= follow_up.bootstrap_fraction
        informativeness = strategy("random")(Pool(p, uniform))
    rejected = np.zeros(len(p), np.int64)
    for bit, name in enumerate(REASONS):
        if name in fails:
            rejected |= np.asarray(fails[name], bool).astype(np.int64) << bit
    return Selection(rejected, informativeness)


def uniform_hash(object_key: npt.NDArray, night: npt.NDArray, seed: int) -> npt.NDArray[np.float64]:
    """A number on [0, 1) for each object, night and seed: the same whenever it is asked for.

    Parameters
    ----------
    object_key, night : int64 arrays, shape (n,)
        Key of the object; night YYYYMMDD.
    seed : int
        Another seed is another sample.
    """
    # SplitMix64 (Steele, Lea & Flood 2014) over the three numbers.
    state = np.asarray(object_key, np.int64).astype(np.uint64)
    for part in (np.asarray(night, np.int64).astype(np.uint64), np.uint64(seed)):
        state = _mix(state ^ _mix(np.asarray(part, np.uint64) + np.uint64(0x9E3779B97F4A7C15)))
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(x: npt.NDArray) -> npt.NDArray:
    with np.errstate(over="ignore"):
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
