"""Data of a telescope with its spectrograph that are not code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from fink_al.errors import SettingsError
from fink_al.settings.kinds import Positive, Section
from fink_al.settings.requests import (
    AnyRequests,
    AocsRequests,
    FileRequests,
    OcsRequests,
    TopicRequests,
)
from fink_al.settings.resources import find_resource, find_setting, read_yaml
from fink_al.settings.survey import Site

NotNegative = Annotated[float, Field(ge=0)]

_ADAPTERS = {
    "aocs": AocsRequests,
    "ocs": OcsRequests,
    "file": FileRequests,
    "topic": TopicRequests,
}

#: The telescope of the published campaign.
DEFAULT_TELESCOPE = "anu_2m3"


class Limits(Section):
    """Conditions that hold during a whole block, from the slew to the end of the read-out.

    Altitude and airmass both count: the stricter one decides.
    """

    min_altitude_deg: Annotated[float, Field(gt=0, lt=90)]
    max_airmass: Annotated[float, Field(gt=1)]
    sun_below_deg: Annotated[float, Field(ge=-40, le=0)]
    min_moon_distance_deg: Annotated[float, Field(ge=0, lt=180)]


class Overheads(Section):
    """Minutes of a block that collect no light.

    `acquire_min` is spent before the first exposure, `readout_min` after each. An exposure is at
    most `longest_exposure_min`.
    """

    acquire_min: NotNegative
    readout_min: NotNegative
    longest_exposure_min: Positive


class Spectrum(Section):
    """Exposure that classifies: `minutes` at `at_magnitude`, at the zenith, under the dark sky.

    Magnitudes are AB, taken as those of the V band. `sky_area_arcsec2` is the area whose sky is
    under the spectrum in the reference seeing.
    """

    minutes: Positive
    at_magnitude: float
    shortest_min: Positive
    longest_min: Positive
    dark_sky_mag_arcsec2: Annotated[float, Field(ge=17, le=23)]
    sky_area_arcsec2: Positive
    seeing_arcsec: Positive
    extinction_mag: Annotated[float, Field(gt=0, le=1)]

    @model_validator(mode="after")
    def _is_in_order(self) -> Spectrum:
        if self.shortest_min > self.longest_min:
            raise ValueError(
                f"shortest_min is {self.shortest_min:g}, above longest_min, "
                f"{self.longest_min:g}; swap them"
            )
        return self


class Telescope(Section):
    """A telescope with its spectrograph (``conf/telescopes/NAME.yml``).

    `sources` tells where each figure comes from, by its key (``limits.max_airmass``) or for the
    rest of a section (``limits``). Each figure needs one. `requests` is how it takes requests; null
    for a telescope that is only planned for.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    title: str
    site: Site
    limits: Limits
    overheads: Overheads
    spectrum: Spectrum
    requests: AnyRequests | None = None
    sources: dict[str, Annotated[str, Field(min_length=1)]]

    @model_validator(mode="after")
    def _has_sources(self) -> Telescope:
        sections = {
            name: value
            for name, value in iter(self)
            if isinstance(value, Section) and name != "requests"
        }
        figures = {
            f"{name}.{key}": name
            for name, value in sections.items()
            for key in type(value).model_fields
        }
        missing = [
            key
            for key, section in figures.items()
            if key not in self.sources and section not in self.sources
        ]
        unknown = self.sources.keys() - figures.keys() - sections.keys()
        if missing:
            raise ValueError(f"sources: {missing[0]} has none; write where it comes from")
        if unknown:
            raise ValueError(
                f"sources: there is no figure {min(unknown)}; known: {', '.join(figures)}"
            )
        return self


def telescope_names(beside: Path | None = None) -> list[str]:
    """Telescopes of ``conf/telescopes``, `beside` the settings file or the package's, by name."""
    folders = [find_resource("conf/telescopes"), Path.cwd() / "conf" / "telescopes"]
    if beside:
        folders.append(beside.absolute() / "telescopes")
    return sorted({file.stem for folder in folders for file in folder.glob("*.yml")})


def load_telescope(name: str = DEFAULT_TELESCOPE, beside: Path | None = None) -> Telescope:
    """Telescope of ``telescopes/NAME.yml``, in the folder `beside`, ``conf/`` or the package.

    A file with the key ``like: NAME`` holds what differs from the package's telescope NAME.

    Raises
    ------
    SettingsError
        If there is no such file, it is wrong, or it holds another name.
    """
    known = telescope_names(beside)
    if name not in known:
        raise SettingsError(
            f"There is no telescope '{name}'; known: {', '.join(known)}. "
            f"Choose one or write conf/telescopes/NAME.yml."
        )
    file = find_setting(f"telescopes/{name}.yml", beside)
    values = read_yaml(file)
    if like := values.pop("like", None):
        values = _over(_of_package(like, file), values)
    try:
        telescope = Telescope.model_validate(values)
    except ValidationError as error:
        raise SettingsError(f"{file}: {_sentence(error)}.") from None
    if telescope.name != name:
        raise SettingsError(f"{file}: name is '{telescope.name}'; write '{name}', as the file's.")
    return telescope


def _of_package(name: Any, file: Path) -> dict[str, Any]:
    folder = find_resource("conf/telescopes")
    known = sorted(each.stem for each in folder.glob("*.yml"))
    if name not in known:
        raise SettingsError(
            f"{file}: like: there is no telescope '{name}'; known: {', '.join(known)}."
        )
    return read_yaml(folder / f"{name}.yml")


def _over(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Values with `changes`, section by section; another adapter keeps nothing of the first."""
    if "adapter" in changes and changes["adapter"] != values.get("adapter"):
        return changes
    changed = {
        key: _over(values[key], value)
        if isinstance(value, dict) and isinstance(values.get(key), dict)
        else value
        for key, value in changes.items()
    }
    return values | changed


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    # The kind of adapter is part of the place of a problem, but no key.
    where = [str(part) for part in first["loc"]]
    kinds = _ADAPTERS.get(where[1]) if len(where) > 1 and where[0] == "requests" else None
    if kinds:
        del where[1]
    key = ".".join(where)
    if first["type"] == "missing":
        return f"{key} is missing"
    if first["type"] == "union_tag_not_found":
        return f"{key}.adapter is missing; allowed: {', '.join(_ADAPTERS)}"
    if first["type"] == "union_tag_invalid":
        found = first["input"]["adapter"]
        return f"{key}.adapter: allowed: {', '.join(_ADAPTERS)} (found {found!r})"
    if first["type"] == "extra_forbidden":
        section: Any = kinds or Telescope
        if len(where) > 1 and not kinds:
            section = Telescope.model_fields[where[0]].annotation
        return f"{key}: no such key; allowed: {', '.join(section.model_fields)}"
    text = first["msg"].removeprefix("Value error, ")
    found = "" if isinstance(first["input"], dict) else f" (found {first['input']!r})"
    return f"{key}: {text}{found}" if key else text
