"""The names that a notebook starts from."""

import doctest
import subprocess
import sys

import pytest

import fink_al


def test_every_name_is_there():
    assert set(fink_al.__all__) <= set(dir(fink_al))
    for name in fink_al.__all__:
        assert getattr(fink_al, name).__name__ == name
    with pytest.raises(AttributeError, match="'fink_al' has no attribute 'Lop'; it has"):
        fink_al.Lop  # noqa: B018


def test_the_example_runs():
    assert doctest.testmod(fink_al).failed == 0


def test_the_import_brings_no_library():
    code = "import sys, fink_al; print(sorted({'numpy', 'pyspark', 'sklearn'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
