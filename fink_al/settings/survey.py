"""Data of a survey that are not code."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from fink_al.errors import SettingsError
from fink_al.settings.kinds import Address, Pattern, Positive, Section
from fink_al.settings.resources import find_resource, find_setting, read_yaml

MJD_EPOCH = date(1858, 11, 17)


class Site(Section):
    """Place of a telescope."""

    name: str
    latitude_deg: Annotated[float, Field(ge=-90, le=90)]
    longitude_deg: Annotated[float, Field(ge=-180, le=180)]
    height_m: float


class SchemaSource(Section):
    """Places of schemas that packets name by number: files of this machine, then a registry.

    Parameters
    ----------
    name : str
        Full name of the alert's record, with ``{major}`` and ``{minor}`` for the version, which the
        number tells: 100 times the major one plus the minor one.
    registry : str or None
        Address of a Schema Registry.
    folder : Path or None
        Folder of schema files, each called by its record's full name, with the ending ``avsc``.
    package, package_folder : str or None, str
        An installed package that has such files, and where they are below its modules.
    """

    name: str
    registry: Address | None = None
    folder: Path | None = None
    package: str | None = None
    package_folder: str = "."

    def name_of(self, number: int) -> str:
        """Full name of the alert's record in schema `number`."""
        major, minor = divmod(number, 100)
        return self.name.replace("{major}", str(major)).replace("{minor}", str(minor))


class Survey(Section):
    """Data of a survey that are not code (``conf/surveys/NAME.yml``)."""

    name: str
    bands: tuple[str, ...]
    wavelengths_nm: dict[str, Positive]
    topics: Pattern
    framing: Literal["container", "confluent"] = "container"
    schemas: SchemaSource | None = None
    object_name: Pattern | None = None
    tns_name: Pattern | None = None
    day_start: Annotated[float, Field(ge=0, lt=1)]
    history_days: Annotated[int, Field(ge=1)]
    site: Site

    @model_validator(mode="after")
    def _has_schemas(self) -> Survey:
        if self.framing == "confluent" and self.schemas is None:
            raise ValueError("framing confluent needs schemas: packets name theirs by number")
        return self

    def night_of(self, mjd: float) -> int:
        """Night that holds `mjd`, as the integer YYYYMMDD of the UT date on which it begins."""
        day = MJD_EPOCH + timedelta(days=int((mjd - self.day_start) // 1))
        return int(f"{day:%Y%m%d}")


def survey_names() -> list[str]:
    """Surveys of ``conf/surveys``, by name."""
    return sorted(file.stem for file in find_resource("conf/surveys").glob("*.yml"))


def load_survey(name: str) -> Survey:
    """Survey of ``conf/surveys/NAME.yml``.

    Raises
    ------
    SettingsError
        If there is no such file, or it is wrong.
    """
    file = find_setting(f"surveys/{name}.yml")
    try:
        return Survey.model_validate(read_yaml(file))
    except ValidationError as error:
        raise SettingsError(f"{file}: {error.errors()[0]['msg']}.") from None
