"""Which features a model is made of."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from fink_al.settings.kinds import ContextName, Count, Positive, Section, distinct
from fink_al.settings.survey import Survey


class FeatureSettings(Section):
    """Feature set by name, and its parameters: docs/features.md explains both."""

    name: Literal["sigmoid", "early_v1"]
    bands: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(distinct)]
    criterion: Literal["ewma", "diff"]
    min_data_points: Annotated[int, Field(ge=3)]
    min_rising_points: Count
    last_limit: bool = False
    context: tuple[ContextName, ...] = ()
    forced: bool = False
    rainbow: bool = False
    wavelengths_nm: dict[str, Positive] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_colours(self) -> FeatureSettings:
        if self.rainbow and self.name == "sigmoid":
            raise ValueError("rainbow is no feature of the set sigmoid: choose early_v1")
        if self.rainbow and len(self.bands) < 2:
            raise ValueError("rainbow needs two bands at least: one tells no temperature")
        return self

    def of_survey(self, survey: Survey) -> FeatureSettings:
        """These settings with the survey's effective wavelengths, if `rainbow` needs them.

        They are settings so that a model keeps those which it was trained with.

        Raises
        ------
        ValueError
            If others are set, the survey has none of a band, or bands are not in their order, in
            which neighbours make colours.
        """
        waves = survey.wavelengths_nm
        known_bands = [band for band in self.bands if band in waves]
        ordered = sorted(known_bands, key=waves.__getitem__)
        if self.name != "sigmoid" and known_bands != ordered:
            raise ValueError(
                f"features.bands are {known_bands}: write them by wavelength, {ordered}, as "
                "neighbours make colours"
            )
        if not self.rainbow:
            return self
        missing = [band for band in self.bands if band not in survey.wavelengths_nm]
        if missing:
            raise ValueError(
                f"rainbow needs the effective wavelengths of bands {missing}; survey "
                f"'{survey.name}' knows {list(survey.wavelengths_nm)}: add them to its file"
            )
        known = {band: survey.wavelengths_nm[band] for band in self.bands}
        if self.wavelengths_nm not in ({}, known):
            raise ValueError(
                f"wavelengths_nm are {self.wavelengths_nm}, those of survey '{survey.name}' are "
                f"{known}: leave them out, they come from the survey's file"
            )
        return self.model_copy(update={"wavelengths_nm": known})
