import numpy as np
import pytest

from fink_al.settings.kinds import HOST
from fink_al.simulation import ztf
from fink_al.simulation.hosts import hosts
from fink_al.simulation.nights import simulate
from fink_al.simulation.objects import KINDS, distance_mpc, draw
from fink_al.simulation.scores import surroundings

N = 20_000


def drawn(name, seed=1):
    rng = np.random.default_rng(seed)
    objects = draw(N, 60_000, 60_030, 60_040, {name: 1}, ztf.VIEW, rng)
    near = surroundings(objects, ztf.SURVEY_BEGIN_MJD, 60_000, rng)
    return objects, near, hosts(objects, near, np.random.default_rng(2))


def absolute(name):
    """Magnitude and colour of hosts as they are, of objects that show them."""
    objects, near, found = drawn(name)
    shown = ~near["is_by_chance"]
    modulus = 5 * np.log10(distance_mpc(objects.redshift)) + 25
    return (found["host_mag"] - modulus)[shown], found["host_colour_g_r"][shown]


def test_hosts_of_thermonuclear_supernovae_are_brighter_and_redder():
    mags, colours = zip(*(absolute(name) for name in ("SN Ia", "SN II", "TDE")), strict=True)
    medians = [np.nanmedian(mag) for mag in mags]
    # The characteristic galaxy has -21.2 (Blanton et al. 2003, ApJ 592, 819, with h = 0.7).
    assert abs(medians[0] + 21.2) < 0.7
    assert medians[2] < medians[0] < medians[1] - 0.5
    reds = [(colour > 0.65).mean() for colour in colours]
    assert reds[2] > reds[0] > 2 * reds[1]


def test_passive_galaxies_have_a_part_of_the_thermonuclear_supernovae_only():
    shares = {name: (absolute(name)[1] > 0.68).mean() for name in ("SN Ia", "SN Ia-91T", "SN Ic")}
    assert 0.2 < shares["SN Ia"] < 0.5
    assert abs(shares["SN Ia-91T"] - shares["SN Ic"]) < 0.02 < shares["SN Ia"] - shares["SN Ic"]


def test_a_chance_neighbour_tells_nothing_of_the_type():
    medians = []
    for name in ("SN Ia", "SN II"):
        _, near, found = drawn(name)
        medians.append(found[near["is_by_chance"]].median())
    np.testing.assert_allclose(*medians, atol=0.5)


def test_a_variable_source_is_its_own_nearest_source():
    objects, near, found = drawn("AGN")
    assert not near["is_by_chance"].any()
    use = found["host_mag"].notna()
    np.testing.assert_allclose(found["host_mag"][use], objects.mag[use, 1], rtol=1e-6)


def test_sources_below_the_depth_are_missing():
    for name in KINDS:
        _, _, found = drawn(name)
        assert found["host_mag"].max() <= 23.2
        assert found["reference_mag_r"].max() <= 22.1
        faint = found["host_mag"] > 22.5
        assert found["reference_mag_r"][faint].isna().all()
        assert found["host_colour_r_i"][found["host_mag"].isna()].isna().all()
    assert 0.005 < drawn("SN II")[2]["host_mag"].isna().mean() < 0.1


def test_hosts_do_not_change_the_sky(monkeypatch):
    with_hosts = simulate(2, 60, seed=5)
    monkeypatch.setattr(ztf, "HAS_CATALOGUE", False)
    without = simulate(2, 60, seed=5)
    assert with_hosts.alerts.drop(columns=list(HOST)).equals(
        without.alerts.drop(columns=list(HOST))
    )
    assert without.alerts[list(HOST)].isna().all(axis=None)
    assert with_hosts.alerts["host_mag"].notna().mean() > 0.9


@pytest.mark.parametrize("name", ["host_mag", "host_colour_g_r", "host_colour_r_i"])
def test_an_object_has_one_host(name):
    alerts = simulate(3, 100, seed=6).alerts
    assert (alerts.groupby("object_id")[name].nunique(dropna=False) == 1).all()


def test_lsst_has_no_hosts():
    alerts = simulate(1, 60, seed=5, survey="lsst").alerts
    assert alerts[list(HOST)].isna().all(axis=None)
