"""``python -m fink_al.models``: compiles the models' kernels, so that no first alert waits."""

import numpy as np

from fink_al.models.estimators.trees import NODE, Trees

leaf = np.zeros(1, NODE)
leaf["left"] = leaf["right"] = -1
trees = Trees(leaf, np.ones(1, np.int64), n_features=1)
trees.mean_share(np.zeros((1, 1)))
trees.shares(np.zeros((1, 1)))
