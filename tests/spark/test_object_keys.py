"""Keys of objects are those that Spark computes."""

import pytest
from pyspark.sql import functions as F

from fink_al.memory.keys import object_keys

pytestmark = pytest.mark.spark

NAMES = ["ZTF18abcdefg", "", "170032882292621441", "ss123", "Поиск", "π☄️ 天体", "x" * 100]


def test_python_and_spark_agree(spark):
    rows = spark.createDataFrame([(name,) for name in NAMES], "object_id string")
    expected = [row[0] for row in rows.select(F.xxhash64("object_id")).collect()]
    assert object_keys(NAMES).tolist() == expected
    assert object_keys([]).tolist() == []
