"""Types as astronomers write them, to positive, negative or no example of a target."""

from __future__ import annotations

import difflib
import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import yaml

from fink_al.errors import SettingsError
from fink_al.settings import Target, find_resource

log = logging.getLogger(__name__)

#: Type of a spectrum that shows none; its object may be asked for again.
UNCLASSIFIED = "unclassified"

#: Type that takes back all that was said of an object before.
WITHDRAWN = "withdrawn"


def spelled(text: str) -> str:
    """Type as a person wrote it, without blanks around it; the words above in any capitals."""
    text = text.strip()
    return text.lower() if text.lower() in (UNCLASSIFIED, WITHDRAWN) else text


@dataclass(frozen=True)
class Taxonomy:
    """Family of each known type."""

    families: dict[str, str]

    @classmethod
    def load(cls) -> Taxonomy:
        """The taxonomy of ``conf/taxonomy.yml``."""
        listed = yaml.safe_load(find_resource("conf/taxonomy.yml").read_text("utf-8"))
        return cls({name: family for family, names in listed.items() for name in names})

    def warnings(self, types: Iterable[str]) -> list[str]:
        """A sentence about each of `types` that is not known, with the nearest that are."""
        folded = {name.lower(): name for name in self.families}
        sentences = []
        for kind in sorted(set(types) - self.families.keys() - {UNCLASSIFIED, WITHDRAWN}):
            near = [folded[name] for name in difflib.get_close_matches(kind.lower(), folded)]
            sentences.append(
                f"'{kind}' is not in conf/taxonomy.yml, so it is no example for training"
                f"{'; nearest: ' + ', '.join(near) if near else ''}. Add the right type as well."
            )
        return sentences

    def check(self, target: Target) -> None:
        """Refuse families that do not exist.

        Raises
        ------
        SettingsError
            With those that do.
        """
        unknown = {*target.positive, *target.excluded} - set(self.families.values())
        if unknown:
            raise SettingsError(
                f"Target '{target.name}' names families {sorted(unknown)}; "
                f"known: {', '.join(sorted(set(self.families.values())))}."
            )

    def classify(self, types: Iterable[str], target: Target) -> list[bool | None]:
        """Whether each type is what `target` looks for; None where it is no example.

        Raises
        ------
        SettingsError
            If the target names a family that the taxonomy does not have.
        """
        self.check(target)
        strange: Counter[str] = Counter()
        result: list[bool | None] = []
        for kind in types:
            family = self.families.get(kind)
            if family is None and kind != UNCLASSIFIED:
                strange[kind] += 1
            known = family is not None and family not in target.excluded
            result.append(family in target.positive if known else None)
        if strange:
            names = ", ".join(f"'{name}' ({count})" for name, count in strange.most_common(5))
            log.warning("Types that the taxonomy does not know are no examples: %s", names)
        return result
