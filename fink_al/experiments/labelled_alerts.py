"""Alerts whose objects have known types, from which evaluation and campaigns draw.

Whole light curves are cut into nightly alerts. Every split is by object.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import numpy.typing as npt

from fink_al.errors import LightCurveError
from fink_al.features.feature_set import FeatureSet
from fink_al.lightcurve import LightCurves
from fink_al.settings import FeatureSettings, Target
from fink_al.settings.taxonomy import Taxonomy
from fink_al.training.nightly_alerts import cut_into_alerts

Phase = Literal["pre-peak", "all"]
Subset = Literal["all", "published"]

_LEAST_OBJECTS = 20
_LEAST_THINNED = 10  # positive objects


@dataclass(frozen=True)
class LabelledAlerts:
    """Alerts whose objects' types are known.

    Parameters
    ----------
    values : float64 array, shape (n, k)
        Features.
    positive : bool array, shape (n,)
        Whether the object is of the target's class.
    row : int64 array, shape (n,)
        Object of each alert, as a number.
    object_id, types : object arrays, shape (n,)
        Name and type of the object.
    night : int64 array, shape (n,)
        Night of the alert, counted as modified Julian date.
    mag : float64 array, shape (n,)
        Magnitude of the alert.
    published : bool array, shape (n,)
        Whether the alert passes the published cuts: every band of the feature set can be fitted.
    features : FeatureSettings
        Feature set of `values`.
    """

    values: npt.NDArray[np.float64]
    positive: npt.NDArray[np.bool_]
    row: npt.NDArray[np.int64]
    object_id: npt.NDArray[np.object_]
    types: npt.NDArray[np.object_]
    night: npt.NDArray[np.int64]
    mag: npt.NDArray[np.float64]
    published: npt.NDArray[np.bool_]
    features: FeatureSettings

    def __len__(self) -> int:
        return len(self.row)

    @property
    def have_features(self) -> npt.NDArray[np.bool_]:
        """True for alerts with any feature, shape (n,)."""
        return np.asarray(~np.isnan(self.values).all(axis=1))

    @property
    def by_object(self) -> npt.NDArray[np.float64]:
        """Weights with which every object counts alike: 1 / its number of alerts, shape (n,)."""
        _, object_of_row, alerts = np.unique(self.row, return_inverse=True, return_counts=True)
        return np.asarray(1.0 / alerts[object_of_row])

    def take(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> LabelledAlerts:
        """Alerts of `rows`: a mask of shape (n,), or row numbers."""
        arrays = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name != "features"}
        return LabelledAlerts(**arrays, features=self.features)


def labelled_alerts(
    whole: LightCurves,
    features: FeatureSettings,
    target: Target,
    taxonomy: Taxonomy,
    phase: Phase = "pre-peak",
) -> LabelledAlerts:
    """Cut `whole` light curves, whose context has ``objectId`` and ``type``, into nightly alerts.

    Parameters
    ----------
    whole : LightCurves
        One light curve an object.
    features : FeatureSettings
        Feature set.
    target : Target
        Positive families, and families that make no examples.
    taxonomy : Taxonomy
        Family of each type.
    phase : {"pre-peak", "all"}
        Alerts up to the night of the object's brightest detection, or all alerts.

    Raises
    ------
    LightCurveError
        If too few objects of both classes are left.
    """
    kinds, names = (
        np.array([str(value) for value in whole.context[name].to_pylist()], object)
        for name in ("type", "objectId")
    )
    classes = taxonomy.classify(kinds.tolist(), target)
    alerts = cut_into_alerts(whole)
    use = np.array([each is not None for each in classes], bool)[alerts.row]
    if phase == "pre-peak":
        use &= alerts.is_pre_peak
    row, positive = alerts.row[use], np.array([each is True for each in classes], bool)
    labelled = with_features(
        alerts.light_curves.select(use),
        features,
        positive=positive[row],
        row=row,
        object_id=names[row],
        types=kinds[row],
        night=np.floor(alerts.mjd[use] - whole.day_start).astype(np.int64),
        mag=alerts.mag[use],
    )
    check_objects(labelled, target)
    return labelled


def with_features(
    curves: LightCurves, features: FeatureSettings, **columns: npt.NDArray
) -> LabelledAlerts:
    """Alerts with the features of their light curves `curves` and further `columns`."""
    published = features.model_copy(update={"name": "sigmoid"})
    fits = FeatureSet.from_settings(published).extract(curves)
    return LabelledAlerts(
        values=FeatureSet.from_settings(features).extract(curves).values,
        published=np.asarray((fits.codes == 0).all(axis=1)),
        features=features,
        **columns,
    )


def check_objects(data: LabelledAlerts, target: Target) -> None:
    """Refuse too few objects of either class.

    Raises
    ------
    LightCurveError
        With their number and types.
    """
    data = data.take(data.have_features)
    _, first = np.unique(data.row, return_index=True)
    counts = Counter(data.positive[first].tolist())
    if min(counts[True], counts[False]) < _LEAST_OBJECTS:
        types = Counter(map(str, data.types[first])).most_common(5)
        raise LightCurveError(
            f"Target '{target.name}' needs {_LEAST_OBJECTS} objects with features of each class; "
            f"{counts[True]} are positive and {counts[False]} negative. Types found: "
            f"{', '.join(f'{kind} ({n})' for kind, n in types) or 'none'}."
        )


def thinned(data: LabelledAlerts, share: float, rng: np.random.Generator) -> LabelledAlerts:
    """Alerts of all negative objects, and of as many positive ones as make up `share` of both.

    Parameters
    ----------
    data : LabelledAlerts
        Alerts of all objects.
    share : float
        Share of positives among the objects.
    rng : numpy Generator
        Draws the positive objects that stay.

    Raises
    ------
    LightCurveError
        If there are too few positive objects for the share, or too few would be left.
    """
    positives, negatives = (np.unique(data.row[data.positive == each]) for each in (True, False))
    needed = round(share / (1 - share) * len(negatives))
    found = (
        f"--positive-share {share:g} needs {needed} positive objects beside {len(negatives)} "
        f"negative ones; the alerts have {len(positives)}"
    )
    if needed > len(positives):
        most = len(positives) / (len(positives) + len(negatives))
        raise LightCurveError(f"{found}: give a share of at most {most:.3f}, or more positives.")
    if needed < _LEAST_THINNED:
        raise LightCurveError(
            f"{found}. At least {_LEAST_THINNED} are needed, half of them to judge: give a larger "
            "share, or more light curves."
        )
    kept = rng.permutation(positives)[:needed]
    return data.take(~data.positive | np.isin(data.row, kept))


def halves(
    data: LabelledAlerts, rng: np.random.Generator, *, same_share: bool = False
) -> tuple[LabelledAlerts, LabelledAlerts]:
    """Split alerts into those of one half of the objects, drawn by `rng`, and the others.

    With `same_share` each class is split by itself, so that both halves have its share.
    """
    parts = (data.positive, ~data.positive) if same_share else (np.ones(len(data), bool),)
    drawn = [rng.permutation(np.unique(data.row[part])) for part in parts]
    first = np.isin(data.row, np.concatenate([each[: len(each) // 2] for each in drawn]))
    return data.take(first), data.take(~first)


def some_of_each(
    row: npt.NDArray[np.int64], most: int, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Mask of shape (n,): at most `most` alerts of each object of `row`, drawn by `rng`."""
    order = np.lexsort((rng.random(len(row)), row))
    _, first = np.unique(row[order], return_index=True)
    rank = np.arange(len(row)) - np.repeat(first, np.diff([*first, len(row)]))
    chosen = np.zeros(len(row), bool)
    chosen[order[rank < most]] = True
    return chosen
