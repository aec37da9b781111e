"""A season of the demo: a stream's share of positives, alerts up to maximum, a whole campaign."""

import numpy as np

from fink_al.demo import season
from fink_al.loop import Loop
from fink_al.settings import load_settings


def test_a_season_has_the_share_of_positives_of_a_stream(monkeypatch):
    monkeypatch.setattr(season, "_NIGHTS", 20)
    monkeypatch.setattr(season, "_ALERTS_PER_NIGHT", 600)
    settings = load_settings(starting_set=None, test_set=None)
    alerts = season.season(Loop.open(settings), 1)
    _, first = np.unique(alerts.row, return_index=True)
    assert len(first) > 150
    share = settings.target.stream_mix.positive_share
    assert abs(alerts.positive[first].mean() - share) < 4 * np.sqrt(share / len(first))
    assert np.bincount(alerts.row).max() <= 4
    assert {"AGN", "CV", "SN II"} < set(alerts.types)
    assert alerts.have_features.mean() > 0.9
