"""The surveys of benchmarks/microlensing.py."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from microlensing_model import FEATURES

from fink_al.features.feature_set import FeatureSet
from fink_al.settings import FeatureSettings
from fink_al.simulation.lens_alerts import Sky, simulate_sky
from fink_al.simulation.star_surveys import LSST, ZTF, StarSurvey


@dataclass(frozen=True)
class Watch:
    """A survey with its target, and what is looked at.

    Parameters
    ----------
    stars : StarSurvey
        Its stars.
    target : str
        Its target in the package.
    settings : FeatureSettings
        Features.
    past_days : int
        Nights before the season: a year of memory, and those of a packet that are longer.
    magnitudes : tuple of float
        Bounds in baseline magnitude.
    target_mag : float
        Baseline magnitude above which recall has a target.
    planet_mag : tuple of float
        Brightest and faintest baseline magnitude of lenses with a planet.
    """

    stars: StarSurvey
    target: str
    settings: FeatureSettings
    past_days: int
    magnitudes: tuple[float, ...]
    target_mag: float
    planet_mag: tuple[float, float]

    @cached_property
    def features(self) -> FeatureSet:
        """Features of its alerts."""
        return FeatureSet.from_settings(self.settings)

    def sky(self, n: int, kind: str | None, seed: int) -> Sky:
        """Simulate `n` objects."""
        earlier = self.stars.earlier_days
        return simulate_sky(
            n, kind, seed, past_days=self.past_days, earlier_days=earlier, survey=self.stars
        )


WATCHES = {
    "ztf": Watch(
        ZTF,
        "microlensing",
        FEATURES,
        365,
        (15.0, 17.0, 18.5, 20.0, 21.0),
        18.5,
        (15.0, 18.0),
    ),
    "lsst": Watch(
        LSST,
        "microlensing_lsst",
        FEATURES.model_copy(update={"bands": LSST.bands, "context": ("reference_mag",)}),
        700,
        (17.0, 19.0, 20.5, 22.0, 23.0, 24.0),
        20.5,
        (17.0, 20.0),
    ),
}
