import runpy

import numpy as np

from fink_al.models.estimators.forest import fit_forest, forest_of_arrays, forest_to_arrays
from fink_al.models.estimators.walking import add_shares, fill_shares


def test_set_up_compiles_the_kernels_that_score(settings):
    runpy.run_module("fink_al.models", run_name="__main__")
    values = np.random.default_rng(1).normal(size=(60, 4))
    forest = fit_forest(settings.target.model, values, values[:, 0] > 0, np.ones(60), 1)
    for each in (forest, forest_of_arrays(forest_to_arrays(forest), 4)):
        for rows in (values, values[:1], values[:0], np.asfortranarray(values)):
            each.predict_proba(rows)
            each.members(rows)
    assert [len(kernel.signatures) for kernel in (add_shares, fill_shares)] == [1, 1]
