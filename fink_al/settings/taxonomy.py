"""Types as astronomers write them, mapped to positive, negative or no example of a target."""

from __future__ import annotations

import difflib
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fink_al.errors import SettingsError
from fink_al.settings.kinds import Section
from fink_al.settings.target import Target

log = logging.getLogger(__name__)

#: Type for a spectrum that shows no type; the object may be requested again. Also a reason.
UNCLASSIFIED = "unclassified"

#: Type that withdraws all earlier labels of an object.
WITHDRAWN = "withdrawn"

#: Reasons why a type is not an example: its spelling is unknown, or the target excludes its family.
UNKNOWN_TYPE, EXCLUDED = "unknown_type", "excluded"


class Family(Section):
    """A family of ``taxonomy.yml``: spellings of its types, and why they belong together."""

    types: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Class:
    """Class of a type for a target.

    Parameters
    ----------
    positive : bool or None
        Whether it is what the target looks for; None: it is not an example.
    reason : str or None
        Code for why it is not an example: ``unclassified``, ``unknown_type`` or ``excluded``.
    why : str
        The reason in words, for every class.
    """

    positive: bool | None
    reason: str | None
    why: str


@dataclass(frozen=True)
class Taxonomy:
    """Family of each known type, and the description of each family."""

    families: dict[str, str]
    why: dict[str, str]

    @classmethod
    def of(cls, families: Mapping[str, Family]) -> Taxonomy:
        """The taxonomy of `families`, by name."""
        return cls(
            {kind: name for name, family in families.items() for kind in family.types},
            {name: family.why for name, family in families.items()},
        )

    def nearest(self, kind: str) -> list[str]:
        """Return known types with a spelling close to `kind`."""
        folded = {name.lower(): name for name in self.families}
        return [folded[name] for name in difflib.get_close_matches(kind.lower(), folded)]

    def unknown(self, types: Iterable[str]) -> list[str]:
        """Return those of `types` that the taxonomy lacks, each once."""
        return sorted(set(types) - self.families.keys() - {UNCLASSIFIED, WITHDRAWN})

    def check(self, target: Target) -> None:
        """Check that the target's families exist and are not both positive and excluded.

        Raises
        ------
        SettingsError
            If one does not exist, or is both.
        """
        unknown = {*target.positive, *target.excluded} - self.why.keys()
        if unknown:
            raise SettingsError(
                f"Target '{target.name}' names families {sorted(unknown)}; "
                f"known: {', '.join(sorted(self.why))}."
            )
        if both := set(target.positive) & target.excluded.keys():
            raise SettingsError(
                f"Target '{target.name}' names families {sorted(both)} as positive and as "
                "excluded: remove them from one."
            )

    def judge(self, kind: str, target: Target) -> Class:
        """Return the class of `kind` for `target`."""
        family = self.families.get(kind)
        if kind == UNCLASSIFIED:
            return Class(None, UNCLASSIFIED, "no spectrum showed a type")
        if family is None:
            near = ", ".join(self.nearest(kind))
            return Class(
                None,
                UNKNOWN_TYPE,
                f"'{kind}' is not in taxonomy.yml{f'; nearest: {near}' if near else ''}",
            )
        if family in target.excluded:
            return Class(None, EXCLUDED, f"{family}: {target.excluded[family]}")
        return Class(family in target.positive, None, f"{family}: {self.why[family]}")

    def classify(self, types: Iterable[str | None], target: Target) -> list[bool | None]:
        """Tell for each type whether `target` looks for it; None where it is not an example.

        A type that is None, as in tables that do not know all types, is not an example.

        Raises
        ------
        SettingsError
            If the target names a family that the taxonomy does not have.
        """
        self.check(target)
        types = list(types)
        classes = {kind: self.judge(kind or UNCLASSIFIED, target) for kind in set(types)}
        unlisted = Counter(kind for kind in types if classes[kind].reason == UNKNOWN_TYPE)
        if unlisted:
            names = ", ".join(f"'{name}' ({count})" for name, count in unlisted.most_common(5))
            log.warning("Types that the taxonomy does not know are not examples: %s", names)
        return [classes[kind].positive for kind in types]
