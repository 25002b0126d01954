import csv

import pandas as pd
import pytest

from dpsynth.errors import DataError
from dpsynth.schema import Schema
from dpsynth.sources import files
from dpsynth.sources.files import read_table

SCHEMA = Schema.from_dict(
    {
        "columns": [
            {"name": "a", "kind": "integer", "bounds": [0, 9], "nullable": True},
            {"name": "b", "kind": "categorical", "values": ["x", "None"]},
            {"name": "c", "kind": "excluded"},
        ]
    }
)


def read(tmp_path, content, name="t.csv"):
    path = tmp_path / name
    path.write_bytes(content)
    return read_table(path, SCHEMA)


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"a,b\n1,x\n", [["1", "x"]]),
        (b"\xef\xbb\xbfa,b\n1,x\n", [["1", "x"]]),
        (b"a,b\r\n1,x\r\n", [["1", "x"]]),
        (b"b,a\nx,1", [["x", "1"]]),
        (b"a,b\n", []),
        (b"a,b", []),
        (b"a,b\nNA,None\n", [["NA", "None"]]),
        (b"a,b\n007,nan\n", [["007", "nan"]]),
        (b'a,b\n1,"x\ny"\n', [["1", "x\ny"]]),
        (b'a,b\n1,"x,""y"""\n', [["1", 'x,"y"']]),
        (b'a,b\n1,5" disk\n', [["1", '5" disk']]),
        (b"a,b\n1,\x00\n", [["1", "\x00"]]),
    ],
)
def test_cells_are_text_as_written(tmp_path, content, rows):
    assert read(tmp_path, content).to_numpy().tolist() == rows


@pytest.mark.parametrize(
    "odd",
    [
        b'"x"y,2',
        b'x"y,2',
        b'"x" ,2',
        b'"a"b"c",2',
        b'"x\ny",2',
        b"x,2,3",
        b"x\ry,2",
        b'"",2',
        b"\xff,2",
    ],
)
@pytest.mark.parametrize("fellow", [b"x,1", b'5" disk,1', b'"x"y"z",1', b'"x,""y""",1'])
def test_whether_a_row_is_accepted_does_not_depend_on_its_place_or_its_fellows(
    tmp_path, odd, fellow
):
    others = [fellow] * 3
    found = set()
    for rows in ([odd, *others], [*others, odd], [*others[:1], odd, *others], [odd]):
        try:
            frame = read(tmp_path, b"\n".join([b"b,a", *rows, b""]))
            found.add(tuple(frame.iloc[rows.index(odd)].fillna("null")))
            assert len(frame) == len(rows)
        except DataError as problem:
            found.add(str(problem))
    assert len(found) == 1


def test_a_row_that_looks_like_the_end_is_a_row(tmp_path):
    assert read(tmp_path, b"b,a\nend,end\n").to_numpy().tolist() == [["end", "end"]]
    assert read(tmp_path, b"b,a\nend,end").to_numpy().tolist() == [["end", "end"]]
    with pytest.raises(DataError, match="damaged or cut off"):
        read(tmp_path, b'b,a\nend,"end\nend,end\n')


def test_an_empty_cell_is_null(tmp_path):
    assert read(tmp_path, b'a,b\n,\n"",""\n').isna().all(axis=None)


def test_a_cell_larger_than_a_block(tmp_path):
    limit = csv.field_size_limit()
    frame = read(tmp_path, b'a,b\n1,"' + b"z" * 20_000_000 + b'"\n2,x\n')
    assert frame["a"].tolist() == ["1", "2"]
    assert len(frame["b"][0]) == 20_000_000
    assert csv.field_size_limit() == limit


def test_a_long_cell_is_read_in_a_file_of_any_size(tmp_path, monkeypatch):
    """Whether a release is refused may not depend on how much one person wrote."""
    monkeypatch.setattr(files, "_BLOCK", 200)
    monkeypatch.setattr(files, "_LARGEST_BLOCK", 2_000)
    path = tmp_path / "people.csv"
    path.write_text("note\n" + "short\n" * 1_000 + "x" * 900 + "\n", encoding="utf-8")
    assert path.stat().st_size > 2_000
    assert len(read_table(path)) == 1_001


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"a,b\n1,x,SECRET\n", "more or fewer cells"),
        (b"a,b\n1,x\nSECRET\n", "more or fewer cells"),
        (b"a,b\n1,x\n2", "more or fewer cells"),
        (b'a,b\n1,"SECRET\n2,x\n', "damaged or cut off"),
        (b'a,b\n1,x\n2,"SECRET', "damaged or cut off"),
        ("a,b\n1,SECRET\n".encode("utf-16"), "not UTF-8"),
        (b"a,b\n1,SECRET\xe9\n", "not UTF-8"),
        (b"a,\xe9\n1,SECRET\n", "not UTF-8"),
        (b"a,a\n1,SECRET\n", "two columns 'a'"),
        (b"SECRET,b\n1,x\n", "column 1 of 't.csv' is not in the schema"),
        (b"a,b,SECRET\n1,x,3\n", "kind 'excluded'"),
        (b"a\n1\n", "lacks the column 'b'"),
        (b"1,SECRET\n2,x\n", "column 1"),
    ],
)
def test_structural_faults_are_one_sentence_that_quotes_nothing(tmp_path, content, words):
    with pytest.raises(DataError) as caught:
        read(tmp_path, content)
    message = str(caught.value)
    assert words in message
    assert "SECRET" not in message
    assert str(tmp_path) not in message
    assert "\n" not in message
    assert caught.value.__cause__ is None


def test_parquet_keeps_long_ids_whole_and_forgets_the_index(tmp_path):
    schema = Schema.from_dict(
        {
            "unit": {"kind": "person", "column": "id", "max_rows": 1},
            "columns": [
                {"name": "id", "kind": "identifier"},
                {"name": "a", "kind": "integer", "bounds": [0, 9]},
            ],
        }
    )
    ids = [2**60 + 1, 2**60 + 2, None]
    frame = pd.DataFrame({"id": pd.array(ids, dtype="Int64"), "a": [1, 2, 4]}, index=[5, 6, 8])
    path = tmp_path / "t.parquet"
    frame.to_parquet(path)
    found = read_table(path, schema)
    assert list(found.columns) == ["id", "a"]
    assert found["id"].tolist()[:2] == ids[:2]
    assert found["id"].isna().tolist() == [False, False, True]
    frame.set_index("a").to_parquet(path)
    assert set(read_table(path, schema).columns) == {"id", "a"}


@pytest.mark.parametrize("keep", [0, 3, 200])
def test_a_truncated_parquet_file_is_refused(tmp_path, keep):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"a": range(1000), "b": "x"}).to_parquet(path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match="damaged or cut off"):
        read_table(path, SCHEMA)


def test_parquet_with_other_columns_is_refused(tmp_path):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(path)
    with pytest.raises(DataError, match="lacks the column 'b'"):
        read_table(path, SCHEMA)


@pytest.mark.parametrize("name", ["t.xlsx", "t"])
def test_other_formats_are_refused(tmp_path, name):
    with pytest.raises(DataError, match=r"\.csv or \.parquet"):
        read(tmp_path, b"", name)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no table at 'gone\.csv'"):
        read_table(tmp_path / "gone.csv", SCHEMA)


def test_without_a_schema_only_duplicates_matter(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"q,q\n1,2\n")
    with pytest.raises(DataError, match="two columns of one name"):
        read_table(path)
    path.write_bytes(b"q,r\n1,2\n")
    assert read_table(path).shape == (1, 2)
