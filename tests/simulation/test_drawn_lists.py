import numpy as np

from fink_al.simulation.drawn import DrawnSky, draw_campaign

SKY = DrawnSky(lists=4, new_objects=40, stays=0.5, batches=3, published=6, spectra=5, cloudy=0.3)


def test_rows_counted_by_their_odds_are_all_rows_on_average():
    off = []
    for luck in range(150):
        rows = draw_campaign(SKY, np.random.default_rng(1), np.random.default_rng(luck))
        off.append(np.nansum(1 / rows.odds) - len(rows.odds))
    assert abs(np.mean(off)) < 4 * np.std(off) / np.sqrt(len(off))
    assert np.std(off) > 0


def test_another_luck_draws_from_the_same_sky():
    # No clouds, so that both have all lists.
    sky = DrawnSky(lists=3, new_objects=20, cloudy=0)
    one, other = (
        draw_campaign(sky, np.random.default_rng(1), np.random.default_rng(luck)) for luck in (1, 2)
    )
    assert (one.p == other.p).all()
    assert (one.positive == other.positive).all()
    assert (np.isnan(one.odds) != np.isnan(other.odds)).any()


def test_an_object_that_was_drawn_is_certain_afterwards():
    rows = draw_campaign(DrawnSky(lists=30, stays=0.8), np.random.default_rng(3))
    drawn = ~np.isnan(rows.odds)
    first = {}
    for name, at in zip(rows.object_id[drawn], rows.list[drawn], strict=True):
        first.setdefault(name, at)
    later = np.array(
        [at > first.get(n, 99) for n, at in zip(rows.object_id, rows.list, strict=True)]
    )
    assert later.any()
    assert (rows.odds[later] == 1).all()
