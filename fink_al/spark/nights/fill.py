"""Filling of nights of the archive that a target was not in the stream for.

Alerts are judged by the stream's own code from their archived light curves, with the present model.
They are in no list and nothing is published: what was not drawn at its time has no odds. A night's
files are replaced by others in one commit, while the stream and readers go on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from math import ceil

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from fink_al.archive.intake import replace_files
from fink_al.archive.names import NIGHT, PART, PART_NAME
from fink_al.archive.reading import Archive
from fink_al.archive.view import OF_TARGET, TARGET, of_features, own
from fink_al.errors import FinkAlError
from fink_al.loop import Loop
from fink_al.models.model import Model
from fink_al.settings.cuts import FILLED, NO_CUTS
from fink_al.spark.archived import read_stored
from fink_al.spark.judge import Champion, Science
from fink_al.spark.nights.replay import champion_of
from fink_al.spark.nights.session import archive_session, job_folder
from fink_al.spark.science import with_science
from fink_al.storage.table import FILE_BYTES, TableChanged

log = logging.getLogger(__name__)

#: Times that a night is computed again, as its files were merged or sorted meanwhile.
_TRIES = 3
#: Part of a file's name, as :func:`fink_al.archive.names.part_of`.
_PART_OF_FILE = r"([^/]+)-[^-/]+\.parquet$"
#: Columns that only a draw gives.
_OF_DRAW = ("pi", "u", "priority", "t", "strategy", "strategy_parameters")


def fill(
    loop: Loop, nights: Iterable[int], progress: Callable[[str], None] = log.info
) -> dict[int, int]:
    """Judge the alerts of `nights` that came while the target was not in its stream.

    Parameters
    ----------
    loop : Loop
        The target's loop.
    nights : iterable of int
        YYYYMMDD; nights that lack nothing are left as they are.
    progress : callable, optional
        Takes a line for each night.

    Returns
    -------
    dict of int to int
        Number of alerts filled in, by night.

    Raises
    ------
    FinkAlError
        If a night's files are damaged or change again and again, or the model cannot be loaded.
    """
    filled: dict[int, int] = {}
    spark, champion = None, None
    for night in nights:
        if not lacking(loop.archive, night):
            continue
        if spark is None:
            spark = archive_session(loop.target.name)
            champion = champion_of(spark, loop.registry)
            if champion:  # refused here, and not in the workers
                Model.from_bytes(champion.bundle.value, loop.features.hash)
        filled[night] = _fill(spark, loop, champion, night)
        progress(f"night {night}: {filled[night]} alerts are filled in for {loop.target.name}")
    return filled


def fill_since_last(loop: Loop, progress: Callable[[str], None] = log.info) -> None:
    """Judge the alerts of nights that are over, each once: for the nightly job.

    A night that cannot be filled in is named in a warning; ``fink-al archive fill`` tries it again.

    Parameters
    ----------
    loop, progress
        As for :func:`fill`.
    """
    table, done = loop.archive.table, f"filled {loop.target.name}"
    over = [night for night in loop.archive.nights()[:-1] if night > table.marked(done)]
    for night in over:
        try:
            fill(loop, [night], progress)
        except FinkAlError as error:
            log.warning("Night %d is not filled in for %s: %s", night, loop.target.name, error)
        table.mark(done, night)


def lacking(archive: Archive, night: int) -> int:
    """Return the number of alerts of a night that the target has not judged."""
    unjudged = archive.field("is_candidate").is_null()
    return len(archive.read(night, ["object_id"], unjudged))


def _fill(spark: SparkSession, loop: Loop, champion: Champion | None, night: int) -> int:
    for _ in range(_TRIES):
        files = loop.archive.files(night)
        if damaged := set(files) - set(loop.archive.without_damaged(files)):
            raise FinkAlError(
                f"{', '.join(sorted(damaged))} of {loop.archive.folder} is damaged: run fink-al "
                f"replay {night} --repair first."
            )
        rows = read_stored(spark, loop.archive, files)
        # What no file has need not be written; of old files only their name has the part.
        kept = set(loop.archive.table.schema().names)
        rows = rows.drop(*(name for name in OF_TARGET if name not in kept))
        of_file = F.regexp_extract(F.input_file_name(), _PART_OF_FILE, 1)
        is_named = of_file.rlike(f"^{PART_NAME}")
        rows = rows.withColumn(PART, F.coalesce(PART, F.when(is_named, of_file)))
        with job_folder(loop.settings.shared_dir) as folder:
            new = folder / f"filled-{loop.target.name}"
            sizes = loop.archive.folder.filesystem.get_file_info(files)
            n_files = ceil(sum(each.size for each in sizes) / FILE_BYTES)
            number = lacking(loop.archive, night)
            _write(rows, Science(loop, champion), new.for_spark(), n_files)
            try:
                replace_files(loop.archive, files, folder)
            except TableChanged:
                continue
            return number
    raise FinkAlError(f"Files of night {night} change again and again: try later.")


def _write(rows: DataFrame, science: Science, path: str, n_files: int) -> None:
    """Write all rows of a night, those filled in that lacked the target."""
    loop = science.loop
    judged = own(loop.target.name, "is_candidate")
    lacks = F.col(judged).isNull() if judged in rows.columns else F.lit(True)
    if TARGET in rows.columns:  # of a version before 0.2, whose rows are of one target
        lacks &= F.coalesce(F.col(TARGET) != loop.target.name, F.lit(True))
    new = _judged(rows.where(lacks), science)
    all_rows = rows.where(~lacks).unionByName(new, allowMissingColumns=True).persist()
    try:
        # Sorted as a night that is over, so that an object's rows are found without reading all.
        in_order = all_rows.repartitionByRange(n_files, "object_id")
        in_order = in_order.sortWithinPartitions("object_id", "mjd")
        in_order.write.partitionBy(NIGHT).option("parquet.block.size", 8 << 20).parquet(path)
    finally:
        all_rows.unpersist()


def _judged(rows: DataFrame, science: Science) -> DataFrame:
    """`rows` with the target's columns, as alerts that no draw was about."""
    loop = science.loop
    name, features = loop.target.name, loop.features
    computed = {own(name, column) for column in OF_TARGET} | {
        of_features(features.hash, column) for column in (*features.names, *features.reason_names)
    }
    alerts = rows.drop(*computed, "survey", NIGHT).withColumnRenamed("processed", "_processed")
    return (
        with_science(alerts, [science])
        .withColumns(_undrawn(name))
        .drop("processed")
        .withColumnRenamed("_processed", "processed")
    )


def _undrawn(target: str) -> dict[str, Column]:
    """Columns of a target's alerts that were in no list."""
    reasons = F.col(own(target, "reasons"))
    cuts = F.filter(reasons, lambda reason: ~reason.isin(*NO_CUTS))
    given = {"reasons": F.concat(cuts, F.array(F.lit(FILLED))), "is_candidate": F.lit(False)}
    nothing = {
        name: F.lit(None).cast("string" if name.startswith("strategy") else "double")
        for name in _OF_DRAW
    }
    return {own(target, name): value for name, value in (given | nothing).items()}
