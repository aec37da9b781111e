"""How a label is spelled, and what it must say."""

from dataclasses import replace
from datetime import timedelta

import pytest
from statements import DAY, SN

from fink_al.errors import LabelError


def test_a_label_is_spelled_in_one_way():
    written = [" Unclassified", "WITHDRAWN ", " SN Ia ", "sn ia"]
    found = [replace(SN, object_id=" A\t", type=kind) for kind in written]
    assert [label.type for label in found] == ["unclassified", "withdrawn", "SN Ia", "sn ia"]
    assert {label.object_id for label in found} == {"A"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"object_id": ""}, "A label needs 'object_id'; found ''."),
        ({"object_id": "1.69813007074328e+17"}, "is '1.69813007074328e.17', a floating-point"),
        ({"object_id": "169813007074328578.0"}, "write all digits, without point or exponent"),
        ({"type": " "}, "A label needs 'type'; found ' '."),
        ({"source": ""}, "A label needs 'source'; found ''."),
        ({"type": "SN\0Ia"}, r"'type' of a label is 'SN\\x00Ia', with characters that are no text"),
        ({"who": "Zo\udceb"}, r"'who' of a label is 'Zo\\udceb', with characters that are no text"),
        ({"observed": DAY.replace(tzinfo=None)}, "'observed' of the label of A has no time zone"),
        ({"modified": DAY.replace(tzinfo=None)}, "'modified' of the label of A has no time zone"),
        (
            {"observed": DAY + timedelta(days=1)},
            "'observed' of the label of A is 2026-01-06 10:00, but it must not be after 2026-01-05",
        ),
        ({"modified": None, "observed": DAY.replace(year=2999)}, "is 2999-01-05 10:00, but"),
        ({"ra_deg": 361.0}, r"'ra_deg' of the label of A is 361.0; it must lie between 0 and 360"),
        (
            {"list": 2026013},
            "'list' of the label of A is 2026013, which is no date; write the date",
        ),
        ({"list": 20260106}, "is 20260106, but 'observed' is 2026-01-05 10:00, before that list"),
        ({"dec_deg": float("nan")}, "'dec_deg' of the label of A is nan; it must lie between -90"),
    ],
)
def test_a_label_that_says_too_little_is_refused(change, message):
    with pytest.raises(LabelError, match=message):
        replace(SN, **change)
