"""Alerts of archived nights, with the classes of their objects by the label store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from fink_al.alerts import light_curves
from fink_al.errors import FinkAlError
from fink_al.experiments.labelled_alerts import LabelledAlerts, check_objects, with_features
from fink_al.labels.counterparts import counterparts_file
from fink_al.labels.own_names import OwnNames
from fink_al.labels.store import LabelStore
from fink_al.labels.verdict import verdicts
from fink_al.selection import CUTS
from fink_al.settings import FeatureSettings, Settings
from fink_al.training.examples import light_curve_columns


def archived_alerts(
    settings: Settings, archive: Path, labels_store: str, features: FeatureSettings
) -> LabelledAlerts:
    """Read alerts of labelled objects that the target's cuts accepted.

    Only rows of labelled objects are read: memory follows the labels, not the archive.

    Parameters
    ----------
    settings : Settings
        Target and survey.
    archive : path
        Folder with a folder ``night=YYYYMMDD`` for each night, as the stream writes it. Labels by
        position count if it is in the stream's working folder.
    labels_store : str
        Folder or URI of the label store.
    features : FeatureSettings
        Feature set; features are computed from the archived light curves.

    Raises
    ------
    FinkAlError
        If the archive has no nights.
    LightCurveError
        If there are too few objects of both classes.
    """
    if not any(archive.glob("night=*/*.parquet")):
        raise FinkAlError(
            f"{archive} has no nights: give the folder that holds night=YYYYMMDD, which the stream "
            "fills (archive/TARGET in its work_dir)."
        )
    # With the names in other surveys, which fink-al train has matched to the archive's objects.
    labels = OwnNames(LabelStore(labels_store), counterparts_file(archive.absolute()))
    classes = verdicts(labels, settings.target)
    classes = classes.filter(pc.is_valid(classes["positive"]))
    # The context of this feature set, which may differ from that of the target's own.
    target = settings.target.model_copy(update={"features": features})
    lists = light_curve_columns(settings.model_copy(update={"target": target}))
    rows = ds.dataset(archive, partitioning="hive").to_table(
        ["object_id", "mjd", "mag", "reasons", *lists],
        filter=pc.field("object_id").isin(classes["object_id"].combine_chunks()),
    )
    reasons = rows["reasons"].combine_chunks()
    refused = np.zeros(len(rows), bool)
    is_cut = pc.is_in(reasons.flatten(), pa.array(list(CUTS)))
    refused[reasons.value_parent_indices().filter(is_cut).to_numpy()] = True
    rows = rows.filter(pa.array(~refused)).sort_by(
        [("object_id", "ascending"), ("mjd", "ascending")]
    )
    of_row = pc.index_in(rows["object_id"], classes["object_id"].combine_chunks()).to_numpy()
    table = rows.select(list(lists)).combine_chunks()
    curves = light_curves(table, settings.survey)
    mjd = rows["mjd"].to_numpy()
    made = with_features(
        curves,
        features,
        positive=classes["positive"].to_numpy()[of_row].astype(bool),
        row=of_row.astype(np.int64),
        object_id=np.array(rows["object_id"].to_pylist(), object),
        types=np.array(classes["type"].to_pylist(), object)[of_row],
        night=np.floor(mjd - settings.survey.day_start).astype(np.int64),
        mag=rows["mag"].to_numpy().astype(np.float64),
    )
    check_objects(made, settings.target)
    return made
