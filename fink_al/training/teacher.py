"""Teacher of an informed estimator: a forest fitted to the teaching set.

A teaching set may be simulated, or come from another survey. The teacher therefore reads shapes and
colours only: depth and cadence of the target's survey are not in it, unless
``prior.survey_features`` names some because they were shown to help on another sky.
"""

from __future__ import annotations

import difflib
import json
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fink_al.alerts import light_curves
from fink_al.errors import ModelError, SettingsError
from fink_al.features.feature_set import FeatureSet
from fink_al.loop import Loop
from fink_al.models.estimators.forest import Forest, fit_forest
from fink_al.models.estimators.prior import Prior
from fink_al.models.estimators.trees import Floats
from fink_al.settings import FeatureSettings, ModelSettings, Survey, Target
from fink_al.training.teaching_set import TeachingSet

#: Message if an estimator lacks its teaching set.
NO_TEACHING_SET = "{} needs a teaching set: name one as teaching_set, or choose random_forest."
#: Features that depend on depth, cadence and noise.
_OF_THE_SURVEY = (
    "limit", "detections", "nights", "age", "mag", "nrise", "snr", "context", "forced",
)  # fmt: skip
_LARGEST = float(np.finfo(np.float32).max)
_ANCHORS, _QUANTILES = 150, 65
_FOREST = ModelSettings(
    estimator="random_forest", n_estimators=100, min_samples_leaf=10,
    min_labels=2, min_labels_per_class=1, seed=7100,
)  # fmt: skip


def prior_of(
    target: Target, features: FeatureSettings, teaching: TeachingSet | None
) -> Prior | None:
    """Fit the teacher of a target; None if its estimator has no teacher.

    Parameters
    ----------
    target : Target
        Estimator and survey.
    features : FeatureSettings
        Feature set.
    teaching : TeachingSet or None
        Teaching set of this target.

    Raises
    ------
    ModelError
        If the estimator needs a teaching set, or no alert of it has features of both classes.
    SettingsError
        If ``prior.few_features`` names a feature that does not exist, or the model looks at none
        of them, or ``prior.survey_features`` names a kind that does not exist, or the teacher has
        no feature to read.
    """
    settings = target.model
    if not settings.is_taught:
        return None
    if teaching is None:
        raise ModelError(NO_TEACHING_SET.format(settings.estimator))
    looked_at, columns, few = _columns(target, teaching.survey, features)
    # As text: settings of features hold a dictionary and have no hash.
    forest, anchors, grid = _learned(
        teaching, teaching.survey.model_dump_json(), features.model_dump_json(), columns
    )
    place = {column: i for i, column in enumerate(looked_at.tolist())}
    return Prior(
        forest,
        tuple(place[i] for i in columns),
        tuple(place[i] for i in few),
        settings.prior.all_features_from,
        settings.prior.worth_labels,
        teaching.identity,
        anchors[:, looked_at],
        grid[list(few)],
    )


def check_teachers(loop: Loop) -> None:
    """Refuse settings with which the teacher of the target's model or a challenger has no features.

    Raises
    ------
    SettingsError
        As :func:`prior_of`.
    """
    for settings in loop.target.recipes.values():
        if settings.is_taught:
            own = loop.target.model_copy(update={"model": settings})
            _columns(own, loop.survey, own.features)


def _columns(
    target: Target, survey: Survey, features: FeatureSettings
) -> tuple[npt.NDArray[np.int64], tuple[int, ...], tuple[int, ...]]:
    """Return the columns that the model looks at, those of its teacher and those of few labels."""
    feature_set = FeatureSet.from_settings(features)
    looked_at = feature_set.columns(target.model.without_features)
    names = {feature_set.names[i]: i for i in looked_at.tolist()}
    few = _few(target, survey, features, names)
    left_out = tuple(set(_OF_THE_SURVEY) - _also(target))
    columns = tuple(i for name, i in names.items() if not name.startswith(left_out))
    if not columns:
        raise SettingsError(
            f"model.without_features leaves the teacher nothing to read: of {', '.join(names)} it "
            "reads what prior.survey_features names; name fewer, or choose random_forest."
        )
    return looked_at, columns, few


def _also(target: Target) -> set[str]:
    """Return the kinds of features of the survey that the teacher reads, too."""
    wanted = set(target.model.prior.survey_features)
    if unknown := wanted - set(_OF_THE_SURVEY):
        raise SettingsError(
            f"prior.survey_features: unknown kinds {', '.join(sorted(unknown))}; known: "
            f"{', '.join(_OF_THE_SURVEY)}."
        )
    return wanted


def _few(
    target: Target, survey: Survey, features: FeatureSettings, names: dict[str, int]
) -> tuple[int, ...]:
    """Return the columns of the features that are learned from few labels, by `names`."""
    wanted = target.model.prior.few_features
    everything = {"name": "early_v1", "bands": survey.bands, "forced": True, "rainbow": True}
    everything |= {"wavelengths_nm": {}}
    all_names = FeatureSet.from_settings(
        features.model_copy(update=everything).of_survey(survey)
    ).names
    known = (*all_names, *FeatureSet.from_settings(features).names)
    if unknown := [name for name in wanted if name not in known]:
        near = [difflib.get_close_matches(name, all_names, 1) for name in unknown]
        raise SettingsError(
            f"prior.few_features: unknown features {', '.join(unknown)}; nearest: "
            f"{', '.join(match[0] for match in near if match) or 'none'}. See docs/features.md."
        )
    few = tuple(names[name] for name in wanted if name in names)
    if not few:
        without = target.model.without_features
        left = f" without {', '.join(without)}" if without else ""
        raise SettingsError(
            f"prior.few_features {list(wanted)}: feature set '{features.name}'{left} has none of "
            f"them; it has {', '.join(names)}."
        )
    return few


@lru_cache(maxsize=8)
def _learned(
    teaching: TeachingSet, survey: str, features: str, columns: tuple[int, ...]
) -> tuple[Forest, Floats, Floats]:
    """Fit a forest; return it, the features of some alerts, and quantiles of every feature.

    The forest has equal weights of both classes, and of the alerts within a class.

    Weights by object, which labels have, cost the default target 0.04 of the AUC on real
    supernovae: an object seen often before its maximum shows more of what is learned.
    """
    feature_set = FeatureSet.from_settings(FeatureSettings(**json.loads(features)))
    curves = light_curves(teaching.rows, Survey.model_validate_json(survey))
    values = feature_set.extract(curves).values
    usable = ~np.isnan(values).all(axis=1)
    # A diverging fit must not become infinite in the trees' single precision.
    values = np.clip(values[usable], -_LARGEST, _LARGEST)
    positive = teaching.positive[usable]
    if len(set(positive.tolist())) < 2:
        raise ModelError(
            f"{len(positive)} of {len(teaching)} alerts of the teaching set have features, but not "
            "of both classes: name another one as teaching_set, or choose random_forest."
        )
    share = positive.mean()
    weights = np.where(positive, 0.5 / share, 0.5 / (1 - share))
    forest = fit_forest(_FOREST, values[:, columns], positive, weights, threads=-1)
    drawn = np.random.default_rng(_FOREST.seed).permutation(len(values))[:_ANCHORS]
    return forest, values[drawn], np.stack([_quantiles(column) for column in values.T])


def _quantiles(column: Floats) -> Floats:
    known = column[~np.isnan(column)]
    return np.quantile(known, np.linspace(0, 1, _QUANTILES)) if len(known) else np.zeros(_QUANTILES)
