"""The real table of typed objects of 2024, in the columns of TNS."""

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from fink_al.labels.tns.rows import NEEDED

#: Names of ZTF's objects in ``internal_names``.
ZTF_NAME = r"\bZTF[0-9]{2}[a-z]{7}\b"


def read_tns_table(shared_data: Path) -> pd.DataFrame:
    """Rows of the columns that the labels need, all text."""
    rows = pq.read_table(shared_data / "labelled" / "tns_fink_2024.parquet").to_pandas()
    rows["type"] = rows["type"].str.removeprefix("(TNS) ")
    return rows[list(NEEDED)].astype(object).fillna("").astype(str)
