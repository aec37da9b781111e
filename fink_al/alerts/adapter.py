"""The adapter of a survey: all knowledge of its packets, and a guide to writing another one.

An adapter is a module of this package, named like the survey, with the names of :class:`Adapter`.
Copy from ``ztf.py``. ``conf/surveys/NAME.yml`` holds the survey's settings. Nothing outside an
adapter knows a field of its packets.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol, cast

import pyarrow as pa

from fink_al.errors import SettingsError
from fink_al.lightcurve import LightCurves
from fink_al.settings import Survey, survey_names


class Adapter(Protocol):
    """Names that the module of a survey must define.

    Attributes
    ----------
    SOURCES : tuple of str
        Values of ``stream.source`` from which its alerts may come.
    FIELDS : dict
        Fields of a packet that are read, with their Avro types; nested where the packet is. The
        JVM and fastavro decode these alone.
    STAMPS : dict
        Fields of a packet that hold its cutouts, ``cutoutScience`` and so on, with their Avro
        types; they are read for people only.
    IS_USABLE : str
        SQL condition over the record ``alert`` that an alert must meet to be scored.
    COLUMNS : dict of str to str
        Columns of a decoded alert in survey-neutral names, as SQL over the record ``alert``. An
        alert travels and is archived in these columns.
    LIGHT_CURVE, FORCED : dict of str to pyarrow.DataType
        List columns among them that hold the light curve, and forced photometry, in the survey's
        own units. Columns of `FORCED` may be missing in older rows.
    MESSAGE_LIGHT_CURVE : dict of str to (str, str)
        Avro type and description of each of these in a published candidate.
    BROKER_FIELDS : list of dict
        Further Avro fields of a candidate, which the tools of Fink's client need.
    FINK_COLUMNS : dict of str to str
        `COLUMNS` as SQL over an alert of Fink after ``concat_col``.
    FINK_NO_SCORE : float
        Number that replaces a missing score in Fink's topics.
    """

    SOURCES: tuple[str, ...]
    FIELDS: dict[str, Any]
    STAMPS: dict[str, Any]
    IS_USABLE: str
    COLUMNS: dict[str, str]
    LIGHT_CURVE: dict[str, pa.DataType]
    FORCED: dict[str, pa.DataType]
    MESSAGE_LIGHT_CURVE: dict[str, tuple[str, str]]
    BROKER_FIELDS: list[dict[str, Any]]
    FINK_COLUMNS: dict[str, str]
    FINK_NO_SCORE: float

    def light_curves(self, columns: pa.Table, survey: Survey) -> LightCurves:
        """Light curves of a table with the columns above."""
        ...

    def broker_values(self, alert: Mapping[str, Any]) -> dict[str, Any]:
        """Values of `BROKER_FIELDS` for one scored alert."""
        ...


def adapter(survey: Survey) -> Adapter:
    """Return the adapter of `survey`.

    Raises
    ------
    SettingsError
        If no module of this package is an adapter of that name.
    """
    module = f"{__package__}.{survey.name}"
    if find_spec(module) is not None:
        candidate = import_module(module)
        if hasattr(candidate, "FIELDS"):
            return cast(Adapter, candidate)
    names = [name for name in survey_names() if find_spec(f"{__package__}.{name}")]
    raise SettingsError(
        f"No survey '{survey.name}'; known: {', '.join(names)}. Another one needs an adapter "
        f"(fink_al/alerts/adapter.py) and conf/surveys/{survey.name}.yml."
    )
