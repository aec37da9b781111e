"""Random numbers of objects, words that become numbers, and numbers that become words."""

import numpy as np
import pytest
from pyspark.sql import functions as F

from fink_al.cuts import places
from fink_al.spark.expressions import numbers, uniform, words

pytestmark = pytest.mark.spark

NIGHT = 20260110


def draws(spark, n, night=NIGHT, seed=1, partitions=4):
    rows = spark.range(n, numPartitions=partitions)
    name = F.concat(F.lit("ZTF26a"), F.col("id").cast("string"))
    drawn = uniform(name, F.lit(night), seed)
    return np.array(
        [row[0] for row in rows.select("id", drawn.alias("x")).orderBy("id").select("x").collect()]
    )


def test_draws_are_uniform_and_always_the_same(spark):
    drawn = draws(spark, 20_000)
    assert (drawn.min() >= 0) & (drawn.max() < 1)
    assert np.histogram(drawn, 10, (0, 1))[0] == pytest.approx(2000, abs=200)
    np.testing.assert_array_equal(drawn, draws(spark, 20_000, partitions=2))
    for other in (draws(spark, 20_000, night=NIGHT + 1), draws(spark, 20_000, seed=2)):
        assert abs(np.corrcoef(drawn, other)[0, 1]) < 0.03
    # As XXH64 written elsewhere gives: a replay repeats its night under any version of Spark.
    assert drawn[:3].tolist() == [0.7660122627647766, 0.674056463742667, 0.8822307895309005]


def test_a_large_seed_is_a_seed(spark):
    assert 0 <= draws(spark, 1, seed=2**63 - 1)[0] < 1


@pytest.mark.parametrize("wanted", [("g", "i"), ()])
def test_words_are_the_numbers_that_numpy_reads(spark, wanted):
    values = ["i", "r", None, "g", ""]
    rows = spark.createDataFrame([(value,) for value in values], "word string")
    found = [row[0] for row in rows.select(numbers(F.col("word"), wanted)).collect()]
    expected = places(values, wanted)
    np.testing.assert_array_equal(np.array(found, float), expected)


def test_bits_are_words(spark):
    names = tuple(f"r{i}" for i in range(57))
    rows = spark.createDataFrame([(value,) for value in (0, 1, 2**56 + 4, None)], "bits long")
    found = [row[0] for row in rows.select(words(F.col("bits"), names)).collect()]
    assert found == [[], ["r0"], ["r2", "r56"], []]
