"""Queries on labels, whatever names their objects have."""

from __future__ import annotations

from abc import ABC, abstractmethod

import pyarrow as pa
import pyarrow.compute as pc

from fink_al.labels.standing import standing, statements
from fink_al.settings.taxonomy import UNCLASSIFIED


class Labels(ABC):
    """Labels of objects: all statements ever stored, and the results that follow from them."""

    @abstractmethod
    def read(self) -> pa.Table:
        """Read all labels ever added, in that order; a label that two writers stored appears once.

        Raises
        ------
        ServiceError
            If the labels cannot be reached.
        LabelError
            If a file of the store is damaged.
        """

    @property
    @abstractmethod
    def version(self) -> str:
        """Identifier of the labels: it changes whenever they do."""

    def standing(self, object_id: str | None = None) -> pa.Table:
        """Return the last row of each statement that was not withdrawn, in order of modification.

        Parameters
        ----------
        object_id : str, optional
            Only those of this object.
        """
        rows = self.read()
        if object_id is not None:
            rows = rows.filter(pc.equal(rows["object_id"], object_id))
        return standing(rows)

    def history(self, object_id: str) -> pa.Table:
        """Return all labels of one object, ordered by modification, and which of them stand.

        Returns
        -------
        pa.Table
            Rows of the store with a column ``stands``: false if the row was replaced or withdrawn.
        """
        rows = self.read()
        rows = rows.filter(pc.equal(rows["object_id"], object_id)).sort_by("modified")
        last = dict(zip(statements(rows).to_pylist(), range(len(rows)), strict=True))
        kept = {last[statement] for statement in statements(standing(rows)).to_pylist()}
        return rows.append_column(
            "stands", pa.array([i in kept for i in range(len(rows))], pa.bool_())
        )

    def typed_objects(self) -> list[str]:
        """Return objects that have a type: they are not asked for again.

        A spelling that the taxonomy does not have counts: somebody saw a type. The label needs a
        correction, not a second spectrum.
        """
        rows = self.standing()
        typed = rows.filter(pc.not_equal(rows["type"], UNCLASSIFIED))
        return sorted(typed["object_id"].unique().to_pylist())
