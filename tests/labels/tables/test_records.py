import zipfile
from contextlib import ExitStack
from io import BytesIO

import pytest

from fink_al.errors import LabelError
from fink_al.labels.tables import records as module
from fink_al.labels.tables.records import Record, Records, Reject, opened


def found(content: bytes, **options) -> list[Record | Reject]:
    return list(Records(BytesIO(content), **options))


def test_records_have_the_line_on_which_they_begin():
    content = b'\xef\xbb\xbf"a","b"\r\n1,2\n\n"x\ny",3\n4,5'
    assert found(content) == [
        Record(2, ["1", "2"]),
        Record(4, ["x\ny", "3"]),
        Record(6, ["4", "5"]),
    ]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"1,2,3", "3 fields; the header has 2"),
        (b"1", "1 fields; the header has 2"),
        (b'"1,2', "2 fields; the header has 2"),
        (b'1,"2', "not CSV: "),
        (b'"1"x,2', "not CSV: "),
        (b"1,Zo\xeb", "not UTF-8: save the table as CSV in UTF-8"),
    ],
)
def test_a_bad_line_takes_no_other_with_it(bad, reason):
    begin, *rest = found(b'a,b\n"1","2"\n' + bad + b'\n"3","4"\n"5","6"\n')
    assert begin == Record(2, ["1", "2"])
    rejected = rest.pop(0)
    assert (rejected.line, rejected.text) == (3, bad.decode("utf-8", "replace"))
    assert rest == [Record(4, ["3", "4"]), Record(5, ["5", "6"])]


@pytest.mark.parametrize(
    ("row", "fields"),
    [
        (b"1,Zo\xeb,3", ["1", "Zo\udceb", "3"]),
        (b'1,"\xff\n,\xfe",Zo\xc3\xab', ["1", "\udcff\n,\udcfe", "Zo\xeb"]),
        (b"1,2,Zo\xeb", None),
        (b"\xe9,2,3", None),
        (b"1,Zo\xeb", "2 fields; the header has 3"),
    ],
)
def test_a_column_that_is_not_used_need_not_be_utf8(row, fields):
    records = Records(BytesIO(b"a,b,c\n" + row + b"\n4,5,6\n"))
    records.used = (0, 2)
    first, last = records
    if isinstance(fields, list):
        assert first == Record(2, fields)
    else:
        reason = fields or "not UTF-8: save the table as CSV in UTF-8"
        assert first == Reject(2, reason, row.decode("utf-8", "replace"))
    assert last.fields == ["4", "5", "6"]


def test_an_open_quote_before_thousands_of_lines_costs_its_own_only():
    lines = [f"{i},{i}" for i in range(30_000)]
    rejected, *rest = found("\n".join(["a,b", 'x,"y', *lines]).encode())
    assert (rejected.line, rejected.reason[:8], rejected.text) == (2, "not CSV:", 'x,"y')
    assert rest == [Record(i + 3, line.split(",")) for i, line in enumerate(lines)]


def test_short_records_are_filled_where_that_is_allowed():
    records = Records(BytesIO(b"a,b,c\n1,2\n1,2,3,4\n"))
    records.fills = True
    assert list(records) == [
        Record(2, ["1", "2", ""]),
        Reject(3, "4 fields; the header has 3", "1,2,3,4"),
    ]


@pytest.mark.parametrize("above", [b"", b'"2026-01-06 00:00:00"\n', b"2026-01-06 00:00:00\r\n"])
def test_a_time_may_stand_above_the_header(above):
    records = Records(BytesIO(above + b"a,b\n1,2\n"))
    assert (records.header, len(list(records))) == (["a", "b"], 1)


def test_a_header_that_cannot_be_used_is_refused():
    assert Records(BytesIO(b"")).header == []
    with pytest.raises(LabelError, match=r"names the columns \['a'\] more than once"):
        Records(BytesIO(b"a,b,a\n"))
    with pytest.raises(LabelError, match=r"its first line cannot be read \(not UTF-8"):
        Records(BytesIO(b"a,\xe9\n"))


def zipped(file, **members: bytes):
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return file


def test_a_zip_gives_its_one_csv(tmp_path):
    file = zipped(tmp_path / "x.csv.zip", a_csv=b"a,b\n1,2\n", note_txt=b"")
    with ExitStack() as stack:
        source, size = opened(file, stack)
        assert (source.read(), size) == (b"a,b\n1,2\n", 8)


def test_a_zip_with_too_much_or_too_little_in_it_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_CSV_BYTES", 1000)
    two = zipped(tmp_path / "two.zip", a_csv=b"a", b_csv=b"b")
    bomb = zipped(tmp_path / "bomb.zip", a_csv=b"0" * 1001)
    (tmp_path / "no.zip").write_bytes(b"PK\x03\x04 and so on")
    for file, message in (
        (two, "holds 2 CSV files; it must be one"),
        (bomb, "unpacks to 1001 bytes; at most 1000 are"),
        (tmp_path / "no.zip", "is not a whole zip"),
        (tmp_path / "gone.csv", "Cannot read .*gone.csv: No such file"),
    ):
        with ExitStack() as stack, pytest.raises(LabelError, match=message):
            opened(file, stack)


def test_a_zip_that_holds_more_than_it_declares_is_damaged(tmp_path):
    file = zipped(tmp_path / "lie.zip", a_csv=b"a,b\n" + b"1,2\n" * 5000)
    content = bytearray(file.read_bytes())
    size = (20_004).to_bytes(4, "little")
    assert content.count(size) == 2  # in front of the member, and in the directory
    file.write_bytes(content.replace(size, (8).to_bytes(4, "little")))
    with ExitStack() as stack:
        source, size = opened(file, stack)
        assert size == 8
        with pytest.raises(LabelError, match=r"it is damaged after line \d+"):
            list(Records(source))


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_zip_of_any_method_is_refused(tmp_path, method):
    file = tmp_path / "x.zip"
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("a.csv", b"a,b\n" + bytes(range(32, 127)) * 50)
    content = bytearray(file.read_bytes())
    content[55:75] = bytes(byte ^ 0xFF for byte in content[55:75])
    file.write_bytes(content)
    with ExitStack() as stack, pytest.raises(LabelError, match="it is damaged after line"):
        list(Records(opened(file, stack)[0]))
