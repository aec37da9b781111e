"""Types as astronomers write them, to positive, negative or no example of a target."""

from __future__ import annotations

import difflib
import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import yaml

from fink_al.errors import SettingsError
from fink_al.settings.resources import find_setting
from fink_al.settings.target import Target

log = logging.getLogger(__name__)

#: Type of a spectrum that shows none; its object may be asked for again. Also a reason.
UNCLASSIFIED = "unclassified"

#: Type that takes back all that was said of an object before.
WITHDRAWN = "withdrawn"

#: Why a type is no example: nobody entered its spelling, or the target leaves its family out.
UNKNOWN_TYPE, EXCLUDED = "unknown_type", "excluded"


@dataclass(frozen=True)
class Class:
    """What a type is to a target.

    Parameters
    ----------
    positive : bool or None
        Whether it is what the target looks for; None: it is no example.
    reason : str or None
        Code for why it is no example: ``unclassified``, ``unknown_type`` or ``excluded``.
    why : str
        The reason in words, whatever the class.
    """

    positive: bool | None
    reason: str | None
    why: str


@dataclass(frozen=True)
class Taxonomy:
    """Family of each known type, and what a family is."""

    families: dict[str, str]
    why: dict[str, str]

    @classmethod
    def load(cls) -> Taxonomy:
        """The taxonomy of ``conf/taxonomy.yml``: the working directory's, else the package's."""
        listed = yaml.safe_load(find_setting("taxonomy.yml").read_text("utf-8"))
        return cls(
            {name: family for family, entry in listed.items() for name in entry["types"]},
            {family: entry["why"] for family, entry in listed.items()},
        )

    def nearest(self, kind: str) -> list[str]:
        """Known types that are spelled nearly like `kind`."""
        folded = {name.lower(): name for name in self.families}
        return [folded[name] for name in difflib.get_close_matches(kind.lower(), folded)]

    def unknown(self, types: Iterable[str]) -> list[str]:
        """Those of `types` that nobody entered, each once."""
        return sorted(set(types) - self.families.keys() - {UNCLASSIFIED, WITHDRAWN})

    def check(self, target: Target) -> None:
        """Refuse families that do not exist, or are both.

        Raises
        ------
        SettingsError
            With those that do.
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
        """What `kind` is to `target`."""
        family = self.families.get(kind)
        if kind == UNCLASSIFIED:
            return Class(None, UNCLASSIFIED, "no spectrum showed a type")
        if family is None:
            near = ", ".join(self.nearest(kind))
            return Class(
                None,
                UNKNOWN_TYPE,
                f"'{kind}' is not in conf/taxonomy.yml{f'; nearest: {near}' if near else ''}",
            )
        if family in target.excluded:
            return Class(None, EXCLUDED, f"{family}: {target.excluded[family]}")
        return Class(family in target.positive, None, f"{family}: {self.why[family]}")

    def classify(self, types: Iterable[str], target: Target) -> list[bool | None]:
        """Whether each type is what `target` looks for; None where it is no example.

        Raises
        ------
        SettingsError
            If the target names a family that the taxonomy does not have.
        """
        self.check(target)
        types = list(types)
        found = {kind: self.judge(kind, target) for kind in set(types)}
        strange = Counter(kind for kind in types if found[kind].reason == UNKNOWN_TYPE)
        if strange:
            names = ", ".join(f"'{name}' ({count})" for name, count in strange.most_common(5))
            log.warning("Types that the taxonomy does not know are no examples: %s", names)
        return [found[kind].positive for kind in types]
