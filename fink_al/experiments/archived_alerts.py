"""Alerts of archived nights, with the classes of their objects by the label store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fink_al.archive.reading import Archive
from fink_al.errors import FinkAlError
from fink_al.experiments.labelled_alerts import LabelledAlerts, check_objects, with_features
from fink_al.labels.counterparts import counterparts_file
from fink_al.labels.own_names import OwnNames
from fink_al.labels.store import LabelStore
from fink_al.labels.verdict import verdicts
from fink_al.loop import Loop
from fink_al.settings import FeatureSettings
from fink_al.settings.cuts import NO_CUTS


def archived_alerts(
    loop: Loop, folder: Path, labels_store: str, features: FeatureSettings
) -> LabelledAlerts:
    """Read alerts of labelled objects that the target's cuts accepted.

    Only rows of labelled objects are read: memory follows the labels, not the archive.

    Parameters
    ----------
    loop : Loop
        Target and survey.
    folder : path
        Archive as the stream writes it. Labels by
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
    lists = loop.alerts.LIGHT_CURVE | loop.alerts.FORCED
    archive = Archive(folder.absolute(), lists, target=loop.target.name)
    if not archive.nights():
        raise FinkAlError(
            f"{folder} has no nights: give the archive that the stream fills (archive/SURVEY in "
            "its work_dir)."
        )
    # With the names in other surveys, which fink-al train has matched to the archive's objects.
    labels = OwnNames(LabelStore(labels_store), counterparts_file(archive.folder))
    classes = verdicts(labels, loop.target, loop.taxonomy)
    classes = classes.filter(pc.is_valid(classes["positive"]))
    # Columns of the context follow the feature set, which may differ from the target's.
    other = loop.with_target(loop.target.model_copy(update={"features": features}))
    rows = archive.read_all(
        ["object_id", "mjd", "mag", "reasons", *other.columns],
        pc.field("object_id").isin(classes["object_id"].combine_chunks()),
    )
    reasons = rows["reasons"].combine_chunks()
    refused = np.zeros(len(rows), bool)
    is_cut = pc.invert(pc.is_in(reasons.flatten(), pa.array(NO_CUTS)))
    refused[reasons.value_parent_indices().filter(is_cut).to_numpy()] = True
    rows = rows.filter(pa.array(~refused)).sort_by(
        [("object_id", "ascending"), ("mjd", "ascending")]
    )
    of_row = pc.index_in(rows["object_id"], classes["object_id"].combine_chunks()).to_numpy()
    curves = other.light_curves(rows.combine_chunks())
    mjd = rows["mjd"].to_numpy()
    labelled = with_features(
        curves,
        features,
        positive=classes["positive"].to_numpy()[of_row].astype(bool),
        row=of_row.astype(np.int64),
        object_id=np.array(rows["object_id"].to_pylist(), object),
        types=np.array(classes["type"].to_pylist(), object)[of_row],
        night=np.floor(mjd - loop.survey.day_start).astype(np.int64),
        mag=rows["mag"].to_numpy().astype(np.float64),
    )
    check_objects(labelled, loop.target)
    return labelled
