"""Models that fink-al 0.1.0 wrote (``tests/formats``) score as they did, or say what to do."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from fink_al.errors import ModelError
from fink_al.models.model import Model, read_manifest

_OLD = Path(__file__).parents[1] / "formats" / "v0_1"


@pytest.mark.parametrize("kind", ["random_forest", "informed_forest"])
def test_an_old_bundle_gives_the_probabilities_that_it_gave(kind):
    bundle = (_OLD / "bundles" / f"{kind}.zip").read_bytes()
    features = read_manifest(bundle)["feature_set"]
    inputs = pq.read_table(_OLD / "bundles" / "inputs.parquet").to_pandas()
    values = inputs[features["names"]].to_numpy(np.float64)
    model = Model.from_bytes(bundle, features["hash"])
    np.testing.assert_allclose(model.predict(values), inputs[kind], rtol=0, atol=1e-12)
    again = Model.from_bytes(model.to_bytes(), features["hash"])
    np.testing.assert_array_equal(again.predict(values), model.predict(values))


def test_an_old_bundle_of_an_estimator_that_was_removed_says_what_to_do():
    bundle = (_OLD / "bundles" / "gradient_boosting.zip").read_bytes()
    message = (
        r"gradient_boosting was removed in 0\.2: choose informed_forest or random_forest, then run "
        "fink-al train"
    )
    with pytest.raises(ModelError, match=message):
        Model.from_bytes(bundle, read_manifest(bundle)["feature_set"]["hash"])


def test_the_champion_that_an_old_stream_kept_can_score():
    (file,) = (_OLD / "ztf" / "champion").rglob("*.zip")
    features = read_manifest(file.read_bytes())["feature_set"]
    model = Model.from_bytes(file.read_bytes(), features["hash"])
    p = model.predict(np.zeros((3, len(features["names"]))))
    assert ((p >= 0) & (p <= 1)).all()
