"""Features: light curves to one matrix, a row an alert.

Compiled code is kept in the cache folder, which only its owner can write: numba stores it as
pickle, so a folder that others can write would let them run code here.
"""

import os

from fink_al.cache import cache_dir

os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_dir() / "numba"))
