"""Settings of the features of a model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from fink_al.settings.kinds import ContextName, Count, Positive, Section, distinct
from fink_al.settings.survey import Survey


class FeatureSettings(Section):
    """Name and parameters of a feature set: docs/features.md explains both."""

    name: Literal["sigmoid", "early_v1", "microlensing_v1"]
    bands: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(distinct)]
    criterion: Literal["ewma", "diff"]
    min_data_points: Annotated[int, Field(ge=3)]
    min_rising_points: Count
    last_limit: bool = False
    context: tuple[ContextName, ...] = ()
    forced: bool = False
    past: bool = False
    rainbow: bool = False
    wavelengths_nm: dict[str, Positive] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_colours(self) -> FeatureSettings:
        if self.rainbow and self.name == "sigmoid":
            raise ValueError("rainbow is not a feature of the set sigmoid: choose early_v1")
        if self.rainbow and len(self.bands) < 2:
            raise ValueError("rainbow needs at least two bands: one gives no temperature")
        return self

    def of_survey(self, survey: Survey) -> FeatureSettings:
        """Return these settings with the survey's effective wavelengths, if `rainbow` needs them.

        They are settings so that a model keeps the ones that it was trained with.

        Raises
        ------
        ValueError
            If other wavelengths are set, if the survey lacks one, or if bands are not ordered by
            wavelength: neighbours form colours.
        """
        waves = survey.wavelengths_nm
        with_waves = [band for band in self.bands if band in waves]
        ordered = sorted(with_waves, key=waves.__getitem__)
        if self.name != "sigmoid" and with_waves != ordered:
            raise ValueError(
                f"features.bands are {with_waves}: write them by wavelength, {ordered}, as "
                "neighbours form colours"
            )
        if not self.rainbow:
            return self
        missing = [band for band in self.bands if band not in survey.wavelengths_nm]
        if missing:
            raise ValueError(
                f"rainbow needs the effective wavelengths of bands {missing}; survey "
                f"'{survey.name}' has {list(survey.wavelengths_nm)}: add them to its file"
            )
        wavelengths = {band: survey.wavelengths_nm[band] for band in self.bands}
        if self.wavelengths_nm not in ({}, wavelengths):
            raise ValueError(
                f"wavelengths_nm are {self.wavelengths_nm}, those of survey '{survey.name}' are "
                f"{wavelengths}: leave them out, they are read from the survey's file"
            )
        return self.model_copy(update={"wavelengths_nm": wavelengths})
