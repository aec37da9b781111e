"""A feature set as a scikit-learn transformer, for pipelines in notebooks."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin

from fink_al.alerts.points import light_curves_of_points
from fink_al.errors import LightCurveError
from fink_al.features.feature_set import FeatureSet
from fink_al.lightcurve import LightCurves
from fink_al.settings import FeatureSettings


class FeatureExtractor(  # type: ignore[call-arg]
    TransformerMixin, BaseEstimator, auto_wrap_output_keys=None
):
    """Transformer of light curves to a feature matrix, NaN where missing.

    Parameters
    ----------
    name : {"early_v1", "sigmoid", "microlensing_v1"}
        Feature set.
    bands : tuple of str
        Bands from blue to red.
    criterion, min_data_points, min_rising_points, last_limit
        Parameters of the sigmoid: :class:`fink_al.features.sigmoid.Sigmoid`.
    rainbow : bool
        Whether to include the fit over all bands (:mod:`fink_al.features.rainbow.feature`).
    wavelengths_nm : dict of str to float, optional
        Effective wavelengths for that fit [nm], such as ``load_survey("ztf").wavelengths_nm``.

    Examples
    --------
    >>> import pandas as pd
    >>> points = pd.DataFrame(
    ...     {"alert_id": 1, "jd": [2461050.7, 2461052.7], "fid": 1,
    ...      "magpsf": [19.5, 19.1], "sigmapsf": 0.1})
    >>> extractor = FeatureExtractor()
    >>> matrix = extractor.fit_transform(points)
    >>> names = list(extractor.get_feature_names_out())
    >>> matrix[0, names.index("rate_g")].round(2)
    np.float64(-0.2)
    """

    def __init__(
        self,
        name: Literal["early_v1", "sigmoid", "microlensing_v1"] = "early_v1",
        bands: tuple[str, ...] = ("g", "r"),
        criterion: Literal["ewma", "diff"] = "ewma",
        min_data_points: int = 3,
        min_rising_points: int = 1,
        last_limit: bool = False,
        rainbow: bool = False,
        wavelengths_nm: dict[str, float] | None = None,
    ):
        self.name = name
        self.bands = bands
        self.criterion = criterion
        self.min_data_points = min_data_points
        self.min_rising_points = min_rising_points
        self.last_limit = last_limit
        self.rainbow = rainbow
        self.wavelengths_nm = wavelengths_nm

    def fit(self, X: Any = None, y: Any = None) -> FeatureExtractor:
        """Check the parameters; nothing is learned."""
        self._feature_set()
        return self

    def transform(self, X: Any) -> npt.NDArray[np.float64]:
        """Return features, shape (n, k), of light curves or of a table of points.

        The result has fewer rows than a table of points. So it is an array whatever ``set_output``
        says.

        Raises
        ------
        LightCurveError
            If the table or the bands are invalid.
        """
        curves = X if isinstance(X, LightCurves) else light_curves_of_points(X)
        if unknown := sorted(set(self.bands) - set(curves.bands)):
            raise LightCurveError(f"No light curve has bands {unknown}; allowed: {curves.bands}.")
        return self._feature_set().extract(curves).values

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Return the names of the columns."""
        return np.array(self._feature_set().names, object)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def _feature_set(self) -> FeatureSet:
        chosen = self.get_params() | {"wavelengths_nm": self.wavelengths_nm or {}}
        return FeatureSet.from_settings(FeatureSettings(**chosen))
