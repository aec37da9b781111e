"""Whatever is near is found by its cell, wherever on the sphere."""

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fink_al.labels.cells import CELL, cells_around, chord, unit_vectors

RADIUS = 1.5

#: Positions with the poles, the begin of the circle, and edges of cells among them.
ras = st.one_of(st.floats(0, 360), st.sampled_from([0.0, 1e-9, 90.0, 359.999999999, 360.0]))
decs = st.one_of(st.floats(-90, 90), st.sampled_from([-90.0, 0.0, 89.9999999, 90.0]))


def separation(ra, dec, other_ra, other_dec):
    """Arcseconds between two positions, by the haversine formula."""
    ra, dec, other_ra, other_dec = map(np.radians, (ra, dec, other_ra, other_dec))
    half = np.sin((dec - other_dec) / 2) ** 2
    half += np.cos(dec) * np.cos(other_dec) * np.sin((ra - other_ra) / 2) ** 2
    return np.degrees(2 * np.arcsin(np.sqrt(half))) * 3600


def beside(ra, dec, arcsec, angle):
    """Position so far from another one, in the direction of `angle`."""
    ra, dec, far = np.radians(ra), np.radians(dec), np.radians(arcsec / 3600)
    here = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    east = np.array([-np.sin(ra), np.cos(ra), 0.0])
    x, y, z = here * np.cos(far) + np.sin(far) * (
        np.sin(angle) * east + np.cos(angle) * np.cross(here, east)
    )
    return np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arctan2(z, np.hypot(x, y)))


def joined(places, objects):
    """Pairs of numbers of `places` and `objects` that share a cell and are near, as a join has."""
    row, cells = cells_around(unit_vectors(*places), RADIUS)
    where: dict[tuple, list[int]] = {}
    vectors = unit_vectors(*objects)
    for i, cell in enumerate(np.floor(vectors / CELL).astype(int)):
        where.setdefault(tuple(cell), []).append(i)
    pairs = [
        (int(r), i) for r, cell in zip(row, cells, strict=True) for i in where.get(tuple(cell), ())
    ]
    assert len(pairs) == len(set(pairs))
    origin = unit_vectors(*places)
    return {(r, i) for r, i in pairs if np.linalg.norm(origin[r] - vectors[i]) <= chord(RADIUS)}


@given(ras, decs, st.floats(0, 3), st.floats(0, 2 * np.pi))
@example(0.0, 90.0, 1.4, 1.0)
@example(0.0, -12.0, 1.49, np.pi / 2)
@example(360.0, 89.9999, 1.49, np.pi)
@settings(deadline=None, max_examples=500)
def test_what_is_near_is_found_and_nothing_else(ra, dec, arcsec, angle):
    other = beside(ra, dec, arcsec, angle)
    found = joined((np.array([ra]), np.array([dec])), tuple(np.array([x]) for x in other))
    if abs(arcsec - RADIUS) > 1e-4:  # what floats of degrees can tell
        assert found == ({(0, 0)} if arcsec < RADIUS else set())


@given(
    st.lists(
        st.tuples(ras, decs, st.floats(0, 6), st.floats(0, 2 * np.pi)), min_size=1, max_size=20
    )
)
@settings(deadline=None, max_examples=100)
def test_the_join_finds_what_brute_force_finds(drawn):
    places = tuple(np.array([row[i] for row in drawn]) for i in range(2))
    objects = tuple(np.array(x) for x in zip(*(beside(*row) for row in drawn), strict=True))
    apart = separation(places[0][:, None], places[1][:, None], *(x[None] for x in objects))
    found = joined(places, objects)
    sure = np.abs(apart - RADIUS) > 1e-4
    expected = set(
        zip(*(axis.tolist() for axis in np.nonzero(sure & (apart < RADIUS))), strict=True)
    )
    assert {pair for pair in found if sure[pair]} == expected


def test_a_place_has_few_cells():
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(0, 360, 10_000), np.degrees(np.arcsin(rng.uniform(-1, 1, 10_000)))
    row, cells = cells_around(unit_vectors(ra, dec), RADIUS)
    assert len(row) == len(cells) < 1.3 * 10_000
    assert set(row) == set(range(10_000))
