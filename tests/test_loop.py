"""A loop that is opened has all that its target needs, or says what is missing."""

import pytest

from fink_al.errors import SettingsError
from fink_al.loop import Loop
from fink_al.settings import load_settings


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"target": {"strategy": "best"}}, "No strategy 'best'; known: random, uncertainty."),
        ({"target": {"strategy": "density"}}, "For the stream: random, uncertainty, margin"),
        ({"survey": {"name": "sdss"}}, "No survey 'sdss'; known: lsst, ztf. Another one needs"),
        ({"survey": {"name": "points"}}, "No survey 'points'; known: lsst, ztf"),
        ({"survey": {"name": "lsst"}}, "is of survey 'ztf', but survey.name is 'lsst'"),
        ({"target": {"positive": ["SN 1a"]}}, r"names families \['SN 1a'\]; known: AGN, CV, "),
        (
            {
                "target": "early_snia_lsst",
                "stream": {"source": "fink_science", "science_path": "/science"},
            },
            r"stream.source is 'fink_science'; survey 'lsst' has \['kafka'\]",
        ),
    ],
)
def test_what_is_missing_is_named_before_anything_starts(overrides, message):
    settings = load_settings(environment={}, **overrides)
    with pytest.raises(SettingsError, match=message):
        Loop.open(settings)


def test_a_loop_has_the_parts_of_its_target():
    settings = load_settings(environment={}, target="early_snia_lsst")
    loop = Loop.open(settings)
    assert (loop.target.name, loop.survey.name) == ("early_snia_lsst", "lsst")
    assert loop.archive.folder == settings.archive_dir
    assert loop.features.names == type(loop.features).from_settings(loop.target.features).names
    assert loop.memory.day_start == loop.survey.day_start == 0.5
    assert set(loop.columns) > {*loop.alerts.LIGHT_CURVE, *loop.alerts.FORCED}


def test_a_loop_for_other_features_reads_other_columns():
    loop = Loop.open(load_settings(environment={}))
    features = loop.target.features.model_copy(update={"context": ("real_bogus",)})
    other = loop.with_target(loop.target.model_copy(update={"features": features}))
    assert {"real_bogus"} <= set(other.columns) - set(loop.columns)
    assert other.archive is loop.archive
