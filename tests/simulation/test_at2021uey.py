"""The tag planetary_anomaly on a light curve like that of AT2021uey, before its main peak."""

import numpy as np
import pytest

from fink_al.features.microlensing.lens import PointLens
from fink_al.settings import load_settings
from fink_al.simulation.at2021uey import SIGNAL_MJD, case, simulated
from fink_al.simulation.lens_alerts import BANDS, alerts_at, detected


def test_the_figures_follow_from_the_published_ones():
    lens = case()
    assert lens.mass_ratio == pytest.approx(1.34 / 1047.35 / 0.5)
    assert lens.separation == pytest.approx(2.1, abs=0.05)  # 4.01 au over 1.9 au
    assert lens.te_days == pytest.approx(16.6, abs=0.1)
    assert 20 < lens.t0_mjd - SIGNAL_MJD < 30


def test_the_planet_is_flagged_before_the_main_peak_and_a_single_lens_is_not():
    pytest.importorskip("VBMicrolensing", reason="needs the extra 'lenses'")
    target = load_settings(environment={"FINK_AL_TARGET": "microlensing"}).target
    flag = target.flags["planetary_anomaly"]
    feature = PointLens(BANDS, forced=True)
    column = feature.names.index(flag.feature)
    flagged = {True: 0, False: 0}
    for has_planet in flagged:
        for seed in range(20):
            sky = simulated(seed, has_planet)
            curves = sky.curves
            early = (curves.mjd > sky.first_mjd + 30) & (curves.mjd < case().t0_mjd - 5)
            alerts = alerts_at(curves, np.flatnonzero(detected(curves) & early))
            flagged[has_planet] += (feature.extract(alerts)[0][:, column] > flag.above).any()
    assert flagged[True] >= 19
    assert flagged[False] <= 3
