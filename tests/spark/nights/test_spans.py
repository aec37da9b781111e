"""The part of an offset is found, also where a topic was recreated."""

from fink_al.spark.nights.spans import Spans


def record(part, *rows):
    names = ("topic", "partition", "topic_id", "first", "until")
    return {
        "part": part,
        "offsets": [{"cluster": "C", **dict(zip(names, r, strict=True))} for r in rows],
    }


def test_the_part_of_an_offset_is_that_of_its_record():
    spans = Spans(
        [
            record("skipped", ("a", 0, "A", 3, 3)),
            record("one", ("a", 0, "A", 3, 10), ("a", 1, "A", 0, 5)),
            record("two", ("b", 0, "B", 0, 9)),
            record("three", ("a", 0, "A", 12, 20)),
            record("anew", ("a", 0, "A2", 0, 30)),
        ]
    )
    found = [spans.part_of("a", 0, offset) for offset in (0, 2, 3, 9, 10, 12, 19, 20, 29, 30)]
    assert found == ["anew", "anew", "one", "one", "anew", "three", "three", "anew", "anew", None]
    assert [spans.part_of("a", 1, offset) for offset in (0, 4, 5)] == ["one", "one", None]
    assert (spans.part_of("b", 0, 8), spans.part_of("b", 1, 0), spans.part_of("c", 0, 0)) == (
        "two",
        None,
        None,
    )
