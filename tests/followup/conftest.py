"""A candidate as the stream archives it."""

from datetime import UTC, datetime

import pytest


@pytest.fixture
def candidate():
    """Makes a scored alert; keywords replace its fields."""

    def make(**changes):
        return {
            "target": "early_snia",
            "survey": "ztf",
            "object_id": "ZTF26aaaaaaa",
            "alert_id": 1,
            "mjd": 61050.3,
            "night": 20260110,
            "ra": 150.1,
            "dec": -20.2,
            "band": "r",
            "mag": 19.0,
            "mag_err": 0.1,
            "p": 0.48,
            "informativeness": 0.96,
            "strategy": "uncertainty",
            "tags": ["host_from_star_score"],
            "model_version": "3",
            "host_class": None,
            "cjd": [2461049.8, 2461050.3, 2461050.8],
            "cfid": [1, 2, 2],
            "cmagpsf": [19.5, None, 19.0],
            "csigmapsf": [0.1, None, 0.1],
            "cdiffmaglim": [20.5, 20.4, 20.5],
            "cisdiffpos": [1, None, 1],
            **dict.fromkeys(("fjd", "ffid", "fflux", "ffluxunc", "fmagzp"), ()),
            "processed": datetime(2026, 1, 10, 12, tzinfo=UTC),
        } | changes

    return make
