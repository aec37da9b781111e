import numpy as np

from fink_al.simulation import ztf
from fink_al.simulation.objects import BOGUS, KINDS, draw
from fink_al.simulation.scores import quality, surroundings

N = 4000


def near(name):
    rng = np.random.default_rng(1)
    objects = draw(N, 60_000, 60_030, 60_040, {name: 1}, ztf.VIEW, rng)
    return surroundings(objects, ztf.SURVEY_BEGIN_MJD, 60_000, rng)


def test_bogus_detections_score_low_and_real_ones_high():
    rng = np.random.default_rng(1)
    passes = []
    for kind in (BOGUS, list(KINDS).index("SN Ia")):
        q = quality(np.full(N, kind), rng)
        passes.append(
            [
                (q["real_bogus"] >= 0.55).mean(),
                (q["deep_real_bogus"] > 0.5).mean(),
                (q["classtar"] > 0.4).mean(),
                (q["n_bad_pixels"] == 0).mean(),
            ]
        )
    np.testing.assert_allclose(passes, [[0.13, 0.12, 0.6, 0.61], [0.99, 1, 1, 0.98]], atol=0.02)


def test_the_cut_on_stars_takes_variable_stars_and_few_supernovae():
    shares = {}
    for name in ("variable star", "CV", "SN Ia", "AGN"):
        found = near(name)
        star = (found["star_score"] > 0.76) & (found["star_distance_arcsec"] < 1.5)
        shares[name] = star.mean()
    np.testing.assert_allclose(list(shares.values()), [0.83, 0.83, 0.02, 0.05], atol=0.02)


def test_only_moving_objects_are_near_a_known_asteroid():
    assert near("SN Ia")["asteroid_distance_arcsec"].isna().all()
    assert (near("moving object")["asteroid_distance_arcsec"] < 5).all()


def test_variable_sources_were_seen_before():
    stars, supernovae = near("variable star"), near("SN Ia")
    assert (stars["past_detections"] > 0).all()
    assert (stars["past_mjd"] < 60_000).all()
    assert abs((supernovae["past_detections"] > 0).mean() - 0.02) < 0.01
