"""What simulated objects teach before there are labels.

A forest learns the target's classes from simulated alerts. It is a teacher whose sky is not quite
the real one, so it sees shapes and colours alone: how deep a survey is, and how often it comes
back, is not what it can know.
"""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fink_al.alerts import light_curves
from fink_al.errors import SettingsError
from fink_al.features.feature_set import FeatureSet
from fink_al.models.estimators.forest import Forest
from fink_al.models.estimators.growing import grow
from fink_al.settings import FeatureSettings, Survey, Target, load_survey
from fink_al.settings.taxonomy import Taxonomy
from fink_al.simulation.nights import SKIES, simulate
from fink_al.simulation.objects import CLASSIFIED_MIX

#: Features that tell of depth, cadence and noise.
_OF_THE_SURVEY = (
    "limit", "detections", "nights", "age", "mag", "nrise", "snr", "context", "forced",
)  # fmt: skip
#: A sky is a season of one schedule; several differ as seasons do.
_NIGHTS, _PER_NIGHT, _FIRST_SEED = 40, 400, 7100
_TREES, _LEAF = 100, 10


@dataclass(frozen=True)
class Prior:
    """A simulated teacher of a feature set.

    Parameters
    ----------
    forest : Forest
        Of simulated alerts.
    columns : tuple of int
        Features that it looks at.
    few : tuple of int
        Features that are learned from few labels, beside what it says.
    all_from : int
        Labelled objects from which all features are.
    worth : float
        Labelled objects that count as much as it does.
    """

    forest: Forest
    columns: tuple[int, ...]
    few: tuple[int, ...]
    all_from: int
    worth: float


def prior_of(target: Target, features: FeatureSettings) -> Prior | None:
    """Teacher of a target by these features; None where its estimator has none.

    Raises
    ------
    SettingsError
        If the survey is not simulated, a feature that is to be learned from few labels does not
        exist, or the feature set has none of them.
    """
    settings = target.model
    if settings.estimator != "informed_forest":
        return None
    if target.survey not in SKIES:
        raise SettingsError(
            f"informed_forest: survey '{target.survey}' is not simulated, so nothing teaches; "
            f"simulated are {', '.join(SKIES)}: choose random_forest."
        )
    names = FeatureSet.from_settings(features).names
    survey = load_survey(target.survey)
    everything = {"name": "early_v1", "bands": survey.bands, "forced": True, "rainbow": True}
    everything |= {"wavelengths_nm": {}}
    known = FeatureSet.from_settings(features.model_copy(update=everything).of_survey(survey)).names
    if unknown := [n for n in settings.prior.few_features if n not in (*known, *names)]:
        near = [difflib.get_close_matches(name, known, 1) for name in unknown]
        raise SettingsError(
            f"prior.few_features: no feature is called {', '.join(unknown)}; nearest: "
            f"{', '.join(found[0] for found in near if found) or 'none'}; docs/features.md has all."
        )
    few = tuple(names.index(name) for name in settings.prior.few_features if name in names)
    if not few:
        raise SettingsError(
            f"prior.few_features {list(settings.prior.few_features)}: feature set "
            f"'{features.name}' has none of them; it has {', '.join(names)}."
        )
    columns = tuple(i for i, n in enumerate(names) if not n.startswith(_OF_THE_SURVEY))
    # What decides, as text: the settings themselves hold what cannot be hashed.
    target = target.model_copy(update={"features": features})
    key = target.model_dump_json(include={"survey", "positive", "excluded", "features"})
    forest = _forest(key, settings.prior.skies, settings.prior.alerts, columns)
    return Prior(
        forest, columns, few, settings.prior.all_features_from, settings.prior.worth_labels
    )


@lru_cache(maxsize=8)
def _forest(key: str, skies: int, alerts: int, columns: tuple[int, ...]) -> Forest:
    told = json.loads(key)
    target = Target.model_construct(**{name: told[name] for name in ("positive", "excluded")})
    features = FeatureSet.from_settings(FeatureSettings(**told["features"]))
    survey = load_survey(told["survey"])
    each = [_sky(survey, features, target, _FIRST_SEED + i, alerts // skies) for i in range(skies)]
    values, positive = (np.concatenate(parts) for parts in zip(*each, strict=True))
    share = positive.mean()
    weights = np.where(positive, 0.5 / share, 0.5 / (1 - share))
    return Forest(
        grow(
            values[:, columns],
            positive,
            weights,
            trees=_TREES,
            leaf=_LEAF,
            seed=_FIRST_SEED,
            threads=-1,
        )
    )


def _sky(
    survey: Survey, features: FeatureSet, target: Target, seed: int, most: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Features and classes of alerts before maximum, as many as `most`, of one simulated season."""
    season = simulate(_NIGHTS, _PER_NIGHT, seed, mix=CLASSIFIED_MIX, survey=survey.name)
    truth = season.truth.set_index("object_id").loc[season.alerts["object_id"]]
    known = np.array(Taxonomy.load().classify(truth["type"].astype(str).tolist(), target), object)
    is_late = season.alerts["mjd"].to_numpy() > truth["peak_mjd"].to_numpy()  # never without a peak
    values = features.extract(light_curves(season.columns(), survey)).values
    is_known = np.array([k is not None for k in known], bool)
    usable = is_known & ~is_late & ~np.isnan(values).all(axis=1)
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(usable))[:most]
    return values[rows], known[rows].astype(bool)
