"""Models of fink-al 0.1.0: bundles of each estimator, the registry, the kept champion."""

import hashlib

import numpy as np
import pandas as pd
import pytest

from fink_al.errors import ModelError
from fink_al.loop import Loop
from fink_al.models.model import Model, read_manifest
from fink_al.spark.stream.champion import ChampionWatch

ESTIMATORS = ("random_forest", "informed_forest", "gradient_boosting")


def model_of(data):
    """The model of a bundle, whatever features the target has today."""
    return Model.from_bytes(data, read_manifest(data)["feature_set"]["hash"])


@pytest.mark.parametrize("estimator", ["random_forest", "informed_forest"])
def test_a_bundle_gives_the_probabilities_that_it_gave(v0_1, estimator):
    model = model_of((v0_1 / "bundles" / f"{estimator}.zip").read_bytes())
    table = pd.read_parquet(v0_1 / "bundles" / "inputs.parquet")
    p = model.predict(table[model.manifest["feature_set"]["names"]].to_numpy(float))
    np.testing.assert_allclose(p, table[estimator], rtol=0, atol=1e-12)
    assert np.isnan(p).tolist() == [True] + 39 * [False]
    assert len(set(p[1:])) > 5
    again = model_of(model.to_bytes())
    values = table[model.manifest["feature_set"]["names"]].to_numpy(float)
    np.testing.assert_array_equal(again.predict(values), p)


def test_a_bundle_of_an_estimator_that_was_removed_says_what_to_do(v0_1):
    message = (
        r"gradient_boosting was removed in 0\.2: choose informed_forest or random_forest, then run "
        "fink-al train"
    )
    with pytest.raises(ModelError, match=message):
        model_of((v0_1 / "bundles" / "gradient_boosting.zip").read_bytes())


def test_manifests_say_what_the_models_are(v0_1):
    manifests = {
        name: read_manifest((v0_1 / "bundles" / f"{name}.zip").read_bytes()) for name in ESTIMATORS
    }
    assert {m["estimator"]["estimator"] for m in manifests.values()} == set(ESTIMATORS)
    assert {m["estimator"]["n_estimators"] for m in manifests.values()} == {6}
    assert {(m["target"], m["survey"], m["parent"]) for m in manifests.values()} == {
        ("early_snia", "ztf", "1")
    }
    assert {m["versions"]["fink-al"] for m in manifests.values()} == {"0.1.0"}
    assert [m["calibration"]["method"] for m in manifests.values()] == ["platt", None, None]


def test_the_registry_has_its_versions_and_champion(registry_of_ztf):
    registry = Loop.open(registry_of_ztf).registry
    assert registry.champion() == "1"
    versions = registry.versions()
    assert [(v.number, v.is_champion, v.tags["decision"]) for v in versions] == [
        ("1", True, "promoted"),
        ("2", False, "kept"),
    ]
    assert versions[1].tags["why"].startswith("not shown to be as good: log_loss 0.722 against")
    manifests = [read_manifest(registry.load(v.number)) for v in versions]
    assert [m["parent"] for m in manifests] == [None, "1"]
    assert [m["estimator"]["n_estimators"] for m in manifests] == [8, 9]
    assert [(m["labels"]["positive"], m["labels"]["negative"]) for m in manifests] == [
        (17, 14), (18, 19),
    ]  # fmt: skip
    assert [m["metrics"]["log_loss"] for m in manifests] == pytest.approx(
        [0.7012494502779582, 0.7216145814600182]
    )
    for v, manifest in zip(versions, manifests, strict=True):
        rows = registry.examples(v.number)
        examples = zip(*(rows[n].to_pylist() for n in ("object_id", "positive")), strict=True)
        assert set(examples) == {
            (name, positive) for name, _, positive in manifest["labels"]["examples"]
        }
    assert registry.held() is None


def test_the_registry_is_gone_on_with(registry_of_ztf):
    registry = Loop.open(registry_of_ztf).registry
    registry.promote("2", "by hand")
    assert registry.champion() == "2"
    assert registry.roll_back("a mistake") == ("2", "1")
    assert [(v.is_champion, v.tags["decision"]) for v in registry.versions()] == [
        (True, "promoted"),
        (False, "rolled_back"),
    ]


def test_the_champion_gives_what_the_archive_has(registry_of_ztf):
    model = model_of(Loop.open(registry_of_ztf).registry.load("1"))
    names = model.manifest["feature_set"]["names"]
    rows = Loop.open(registry_of_ztf).archive.frame(20260106, [*names, "p"])
    np.testing.assert_allclose(
        model.predict(rows[names].to_numpy(float)), rows["p"], rtol=0, atol=1e-9
    )


def test_the_kept_champion_is_the_registrys(registry_of_ztf):
    (file,) = registry_of_ztf.champion_dir.local.iterdir()
    bundle = file.read_bytes()
    assert file.name == f"1-{hashlib.sha256(bundle).hexdigest()}.zip"
    assert bundle == Loop.open(registry_of_ztf).registry.load("1")
    features = Loop.open(registry_of_ztf).features
    assert read_manifest(bundle)["feature_set"]["hash"] == features.hash


@pytest.mark.spark
def test_a_stream_starts_with_the_kept_champion_while_the_registry_is_away(spark, ztf):
    (ztf.work_dir / "registry.db").write_text("no database")
    champion = ChampionWatch(spark, Loop.open(ztf)).current()
    assert champion
    assert champion.version == "1"
