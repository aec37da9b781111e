import numpy as np
from small_world import TAXONOMY

from fink_al.simulation import lsst, ztf
from fink_al.simulation.objects import KINDS, Objects, draw, flux

G, R = 0, 1


def one(name, **changes):
    """An object that begins at 100, with magnitude 20 in g, r and i and a rise of 10 days."""
    values = {
        "kind": np.array([list(KINDS).index(name)]),
        "redshift": np.array([0.0]),
        "begin_mjd": np.array([100.0]),
        "mag": np.full((1, 3), 20.0),
        "rise_days": np.full((1, 3), 10.0),
        "pace": np.array([1.0]),
        "redness": np.array([[0.0, 1.0, 1.0]]),
        "power": np.array([2.0]),
        "slope": np.array([0.0]),
        "amplitude_mag": np.array([0.0]),
        "swing": np.array([1.2, 1.0, 0.9]),
        "frequency": np.zeros((1, 24)),
        "phase": np.zeros((1, 24)),
    }
    return Objects(**values | changes)


def light_curve(objects, mjd, band):
    mjd = np.asarray(mjd, float)
    return flux(objects, np.zeros(len(mjd), int), mjd, np.full(len(mjd), band))


def test_supernova_rises_from_first_light_to_its_peak_and_falls_along_its_table():
    mjd = [99.9, 100, 105, 110, 115, 125, 132.5]
    # Peak at 20 mag is a thousand FLUXCAL; half of the rise is sin(pi/4) ** 2.
    g = 1000 * np.array([0, 0, 0.5, 1, *10 ** (-0.4 * np.array([0.10, 0.85, 1.475]))])
    r = 1000 * np.array([0, 0, 0.5, 1, *10 ** (-0.4 * np.array([0.07, 0.60, 0.850]))])
    np.testing.assert_allclose(light_curve(one("SN Ia"), mjd, G), g)
    np.testing.assert_allclose(light_curve(one("SN Ia"), mjd, R), r)


def test_a_pace_of_two_halves_the_decline():
    slow = one("SN Ia", pace=np.array([2.0]))
    np.testing.assert_allclose(
        light_curve(slow, [120, 140], G), 1000 * 10 ** (-0.4 * np.array([0.10, 0.85]))
    )


def test_a_slope_that_brightens_moves_the_maximum_behind_the_rise():
    plateau = one("SN IIP", slope=np.array([-0.01]))
    mag = -2.5 * np.log10(light_curve(plateau, [110, 125, 140], R) / 1000)
    np.testing.assert_allclose(mag, [0, -0.15, 0.05 - 0.3])


def test_a_moving_object_is_there_for_one_night_only():
    asteroid = one("moving object", rise_days=np.full((1, 3), 1e-3))
    seen = light_curve(asteroid, [99.5, 100.2, 100.5, 101.2], R)
    np.testing.assert_allclose(seen, [0, 1000, 1000, 0])


def test_a_variable_source_changes_with_either_sign_about_nothing():
    star = one("variable star", amplitude_mag=np.array([0.1]), frequency=np.full((1, 24), 0.25))
    # 24 waves in phase: sqrt(2 / 24) * 24 amplitudes, with either sign.
    top = 0.1 * np.sqrt(48)
    expected = 1000 * (10 ** (-0.4 * np.array([top, 0, -top])) - 1)
    np.testing.assert_allclose(light_curve(star, [100, 101, 102], R), expected, atol=1e-6)


def test_a_population_varies_by_its_amplitude_and_remembers_for_its_time_scale():
    rng = np.random.default_rng(1)
    agn = draw(4000, 0, 30, 40, {"AGN": 1}, ztf.VIEW, rng)
    i, band = np.arange(4000), np.full(4000, R)

    def change(mjd):
        constant = 10 ** (-0.4 * (agn.mag[:, R] - 27.5))
        mag = -2.5 * np.log10(1 + flux(agn, i, np.full(4000, mjd), band) / constant)
        return mag / agn.amplitude_mag

    now, soon, late = change(1000.0), change(1200.0), change(6000.0)
    found = [now.std(), np.corrcoef(now, soon)[0, 1], np.corrcoef(now, late)[0, 1]]
    np.testing.assert_allclose(found, [1, np.exp(-1), 0], atol=0.05)


def test_supernovae_are_as_luminous_as_their_kind_and_lie_at_the_distance_of_their_magnitude():
    sn = draw(4000, 0, 30, 40, {"SN Ia": 1}, ztf.VIEW, np.random.default_rng(1))
    assert ((sn.mag[:, G] > 15.5) & (sn.mag[:, G] < 20.5)).all()
    distance = 299_792.458 / 70 * sn.redshift * (1 + 0.775 * sn.redshift)
    absolute = sn.mag[:, G] - 5 * np.log10(distance) - 25
    dust = 3.3 * 0.08  # mean
    np.testing.assert_allclose([absolute.mean(), absolute.std()], [-19.25 + dust, 0.36], atol=0.03)


def test_light_of_distant_supernovae_is_seen_where_redshift_has_moved_it():
    sn = draw(4000, 0, 60, 70, {"SN Ia": 1}, lsst.VIEW, np.random.default_rng(1))
    distance = 299_792.458 / 70 * sn.redshift * (1 + 0.775 * sn.redshift)
    modulus = 5 * np.log10(distance) + 25 - 2.5 * np.log10(1 + sn.redshift)
    far, near = np.abs(sn.redshift - 0.45) < 0.02, sn.redshift < 0.15
    assert min(far.sum(), near.sum()) > 50
    # g shows 327 nm at rest then: between -17.4 at 300 nm and -18.8 at 360 nm, through dust.
    ultraviolet = np.median((sn.mag[:, 1] - modulus)[far])
    assert abs(ultraviolet - (-18.03 + 0.06 * 4.7)) < 0.1
    u, g, r, i, z, _ = range(6)
    colours = [np.median((sn.mag[:, a] - sn.mag[:, b])[chosen])
               for chosen in (near, far) for a, b in ((u, g), (g, r), (r, i), (i, z))]  # fmt: skip
    assert colours[0] < 1.2 < colours[4]
    assert colours[1] < 0.3 < 0.8 < colours[5]
    assert colours[2] < 0 < colours[6]  # what is red in i nearby is not there any more


def test_draw_keeps_the_mix_and_its_times():
    mix = {"SN Ia": 3, "bogus": 1}
    drawn = draw(4000, 0, 30, 40, mix, ztf.VIEW, np.random.default_rng(1))
    is_bogus = drawn.kind == list(KINDS).index("bogus")
    found = [is_bogus.mean(), drawn.begin_mjd[is_bogus].min(), drawn.begin_mjd[~is_bogus].min()]
    np.testing.assert_allclose(found, [0.25, 30, 0], atol=0.02)
    assert np.isinf(drawn.mag[is_bogus]).sum(axis=1).tolist() == [2] * is_bogus.sum()
    assert np.isfinite(drawn.mag[~is_bogus]).all()


def test_every_type_is_known_to_the_taxonomy():
    types = {kind.type for kind in KINDS.values()} - {None}
    assert types - TAXONOMY.families.keys() == set()
