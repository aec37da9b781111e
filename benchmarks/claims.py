"""What a benchmark claims: a number with its unit, and whether its target is met."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple, NoReturn


class Claim(NamedTuple):
    """A measured `value` beside the `target` that it should meet."""

    name: str
    value: float
    unit: str
    target: float
    met: bool
    #: How the target is named, such as "at most", and how many digits of the value are shown.
    word: str = "target"
    digits: int = 4

    def __str__(self) -> str:
        verdict = "met" if self.met else "missed"
        value = f"{self.value:.{self.digits}g}"
        return f"{self.name}: {value} {self.unit} ({self.word} {self.target:g}, {verdict})"


def at_most(name: str, value: float, unit: str, most: float) -> Claim:
    """A claim that `value` is not above `most`."""
    return Claim(name, value, unit, most, value <= most, "at most", 3)


def judge(claims: Sequence[Claim], check: bool) -> NoReturn:
    """Print a line a claim and end the program; with 1 if one is to be checked and missed."""
    for claim in claims:
        print(claim)
    sys.exit(1 if check and not all(claim.met for claim in claims) else 0)
