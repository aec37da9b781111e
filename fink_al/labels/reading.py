"""What can be asked of labels, by whatever names their objects are read."""

from __future__ import annotations

from abc import ABC, abstractmethod

import pyarrow as pa
import pyarrow.compute as pc

from fink_al.labels.standing import standing, statements
from fink_al.settings.taxonomy import UNCLASSIFIED


class Labels(ABC):
    """Labels of objects: all words ever, and what follows from them."""

    @abstractmethod
    def read(self) -> pa.Table:
        """All labels ever added, in the order in which they were; what two writers said, once.

        Raises
        ------
        ServiceError
            If the labels are out of reach.
        LabelError
            If a file of the store is damaged.
        """

    @property
    @abstractmethod
    def version(self) -> str:
        """Changes whenever what is read does."""

    def standing(self, object_id: str | None = None) -> pa.Table:
        """The last word of each statement that was not withdrawn, in the order of modification.

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
        """All labels of one object, the one modified last at the end, and which of them stand.

        Returns
        -------
        pa.Table
            Rows of the store with a column ``stands``: whether nothing has taken its place.
        """
        rows = self.read()
        rows = rows.filter(pc.equal(rows["object_id"], object_id)).sort_by("modified")
        last = dict(zip(statements(rows).to_pylist(), range(len(rows)), strict=True))
        kept = {last[statement] for statement in statements(standing(rows)).to_pylist()}
        return rows.append_column(
            "stands", pa.array([i in kept for i in range(len(rows))], pa.bool_())
        )

    def typed_objects(self) -> list[str]:
        """Objects that have a type: they are not asked for again.

        A spelling that the taxonomy does not know counts: somebody saw a type, so what is missing
        is a correction, not a second spectrum.
        """
        rows = self.standing()
        typed = rows.filter(pc.not_equal(rows["type"], UNCLASSIFIED))
        return sorted(typed["object_id"].unique().to_pylist())
