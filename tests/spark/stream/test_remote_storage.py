"""Nights through the stream with all that is shared in HDFS or S3, on one machine and on a cluster.

On the cluster driver and executors have no local disk in common.
"""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.compute as pc
import pytest
import yaml
from embedded_spark import EmbeddedSpark, can_have_other_disks
from streaming import fill_night, ledger_counts, published

from fink_al.jars import fetch
from fink_al.labels.label import Label
from fink_al.loop import Loop
from fink_al.settings import find_resource
from fink_al.spark.session import submit_options

pytestmark = [pytest.mark.spark, pytest.mark.kafka]

#: Of the Hadoop in pyspark 3.5; it brings Amazon's client along.
_S3_CLIENT = "org.apache.hadoop:hadoop-aws:3.3.4"
_COLUMNS = ["object_id", "topic", "partition", "offset", "is_candidate", "model_version"]


def options_for(kind, server):
    """What an operator gives spark-submit for the storage."""
    if kind == "hdfs":
        return {}
    jars = ",".join(map(str, fetch("hadoop-aws-3.3.4", [_S3_CLIENT])))
    return {
        "spark.jars": f"{submit_options()['spark.jars']},{jars}",
        "spark.hadoop.fs.s3a.endpoint": server.address,
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.connection.ssl.enabled": "false",
    }


def submit(script, master, options, *arguments):
    """Run a script of the package by spark-submit to its end."""
    import pyspark

    options = submit_options() | {"spark.executor.memory": "800m"} | options
    command = [str(Path(pyspark.__file__).parent / "bin" / "spark-submit"), f"--master={master}"]
    command += [f"--conf={name}={value}" for name, value in options.items()]
    python = {"PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable}
    done = subprocess.run(
        [*command, str(find_resource(script)), *arguments],
        env=os.environ | python, capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def without_java(*arguments):
    """Exit code and output of a command where there is no Java."""
    code = "from fink_al.cli.main import main; main()"
    nowhere = {"JAVA_HOME": "/nonexistent", "PATH": "/nonexistent"}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=os.environ | nowhere, capture_output=True, text=True,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(("kind", "where"), [("s3", "local[2]"), ("hdfs", "cluster")])
def test_two_nights_and_a_training(request, kind, where, world, sky, tmp_path, tmp_path_factory):
    if where == "cluster" and not can_have_other_disks():
        pytest.skip("only who may mount a file system can give workers another disk")
    server = request.getfixturevalue(kind)
    made = world()
    options = options_for(kind, server)
    settings = made.model_copy(
        update={"storage": f"{server.uri}/{made.target.name}", "work_dir": tmp_path / "driver"}
    )
    config = tmp_path / "fink_al.yml"
    config.write_text(yaml.safe_dump(settings.model_dump(mode="json")))
    settings.work_dir.mkdir()
    with ExitStack() as stack:
        master = where
        if where == "cluster":
            folder = tmp_path_factory.mktemp("cluster")
            cluster = stack.enter_context(EmbeddedSpark(folder, settings.work_dir))
            master = cluster.master
        night = submit, "bin/alert2candidate.py", master, options, "--config", str(config)
        first, second = sky.nights
        n = fill_night(settings, sky, first)
        loop = Loop.open(settings)
        assert _done(night) == 0
        truth = sky.truth.dropna(subset="type")
        observed = datetime.fromtimestamp((first_mjd(sky, second) - 40587) * 86400, UTC)
        labels = [
            Label(row.object_id, row.type, "spectrum", observed) for row in truth.itertuples()
        ]
        assert loop.labels.store.add(labels) > 20
        train = submit("bin/label2model.py", master, options, "--config", str(config))
        assert train[0] == 0, train[1]
        n += fill_night(settings, sky, second)
        assert _done(night) == 0

    rows = loop.archive.read_all(_COLUMNS, pc.scalar(True)).to_pandas()
    assert len(rows) == n == ledger_counts(settings)["alerts"]
    assert not rows.duplicated(["topic", "partition", "offset"]).any()
    assert set(rows["model_version"].dropna()) == {"1"}
    assert set(published(settings).values()) == {1}
    assert len(published(settings)) == rows["is_candidate"].sum() > 10
    assert settings.staging_dir.files() == []
    assert [name[:2] for name in settings.champion_dir.names()] == ["1-"]

    for day in (first, second):
        code, said = without_java("audit", "--night", str(day), "--json", "--config", str(config))
        assert code == 0, said
        assert json.loads(said)["faults"] == []
    code, said = without_java("labels", "show", labels[0].object_id, "--config", str(config))
    assert (code, "spectrum" in said) == (0, True), said
    out = str(tmp_path / "out")
    code, said = without_java("archive", "export", out, "--config", str(config))
    assert code == 0, said
    assert f"{n} alerts of 2 nights" in said
    own = {path.name.partition("_")[0] for path in settings.work_dir.iterdir()}
    assert own <= {"checkpoint", "report", "registry.db", "models", "training"}


def _done(night):
    run, script, master, options, *arguments = night
    code, said = run(script, master, options, "--available-now", *arguments)
    assert code == 0, said[-6000:]
    return code


def first_mjd(sky, night):
    """Time of the first alert of a night."""
    return sky.alerts.loc[sky.alerts["night"] == night, "mjd"].min()
