"""Requests by the position of their objects: one object may have several names."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from fink_al.requests.record import Record

#: Two requests nearer than this are for the same object [arcsec].
SAME_ARCSEC = 1.5


class Positions:
    """Requests that are looked up by name or position.

    Parameters
    ----------
    records : iterable of Record
        Requests.
    """

    def __init__(self, records: Iterable[Record]):
        self._records = list(records)
        self._by_name = {record.object_id: record for record in self._records}
        self._ra = np.array([record.ra for record in self._records], float)
        self._dec = np.array([record.dec for record in self._records], float)

    def find(self, object_id: str, ra: float, dec: float) -> Record | None:
        """Return a request for an object of that name, or within `SAME_ARCSEC`; None without one.

        Parameters
        ----------
        object_id : str
            Its name.
        ra, dec : float
            J2000 [deg].
        """
        if object_id in self._by_name or not len(self._records):
            return self._by_name.get(object_id)
        east = (self._ra - ra + 180) % 360 - 180
        arcsec = 3600 * np.hypot(east * np.cos(np.radians(dec)), self._dec - dec)
        nearest = int(np.argmin(np.nan_to_num(arcsec, nan=np.inf)))
        return self._records[nearest] if arcsec[nearest] <= SAME_ARCSEC else None
