"""``python -m fink_al.features``: compile every feature, so that the first alert need not wait."""

import numpy as np
import pyarrow as pa

from fink_al.features.feature_set import FeatureSet
from fink_al.lightcurve import LightCurves
from fink_al.settings import FeatureSettings

every = FeatureSettings(
    name="early_v1",
    bands=("g", "r"),
    criterion="ewma",
    min_data_points=3,
    min_rising_points=1,
    last_limit=True,
    context=("galactic_latitude",),
    forced=True,
    rainbow=True,
    wavelengths_nm={"g": 475.3, "r": 636.9},
)
curves = LightCurves(
    offsets=np.array([0, 8]),
    mjd=np.arange(59000.2, 59008),
    band=np.array([0, 0, 0, 0, 1, 1, 1, 1]),
    flux=np.array([10.0, 40.0, 80.0, 95.0, 20.0, 50.0, 70.0, 80.0]),
    flux_err=np.ones(8),
    is_upper_limit=np.zeros(8, bool),
    is_forced=np.zeros(8, bool),
    bands=("g", "r"),
    context=pa.table({}),
)
for name in ("early_v1", "microlensing_v1"):
    settings = every.model_copy(update={"name": name})
    FeatureSet.from_settings(settings).extract(curves)
