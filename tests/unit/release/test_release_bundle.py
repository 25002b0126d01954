"""What leaves the house: deterministic, typed, harmless, and silent about machine and process."""

import getpass
import io
import re
import socket

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from attacks.verify import verify
from dpsynth.errors import IntegrityError, UsageError
from dpsynth.release import bundle, manifest, spreadsheet

FRAME = pd.DataFrame(
    {
        "whole": pd.array([1, None, 3], dtype="Int64"),
        "text": ["=cmd()", "-9", "-nine"],
        "level": pd.Categorical(["@a", "b", "b"], categories=["@a", "b"], ordered=True),
        "day": pd.to_datetime(["2020-01-01", None, "2020-02-02"]),
        "flag": pd.array([True, None, False], dtype="boolean"),
        "real": [1.5, -2.0, np.nan],
    }
)


def test_parquet_keeps_values_and_dtypes(tmp_path):
    bundle.write_parquet(tmp_path / "t.parquet", FRAME)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), FRAME)


def test_parquet_says_nothing_of_the_process_that_made_it(tmp_path):
    table = FRAME.set_index(pd.Index([7, 8, 9], name="secret_row_number"))
    table.attrs = {"read_from": "secret_path"}
    bundle.write_parquet(tmp_path / "t.parquet", table)
    data = (tmp_path / "t.parquet").read_bytes()
    notes = pq.read_schema(tmp_path / "t.parquet").pandas_metadata
    assert set(notes) == {"index_columns", "column_indexes", "columns", "attributes"}
    for word in (b"secret", b"creator", pd.__version__.encode(), socket.gethostname().encode()):
        assert word not in data


def test_equal_tables_give_equal_bytes(tmp_path):
    bundle.write_parquet(tmp_path / "a", FRAME)
    bundle.write_parquet(tmp_path / "b", FRAME.copy())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert spreadsheet.to_csv(FRAME) == spreadsheet.to_csv(FRAME.copy())


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\0"])
def test_text_that_a_spreadsheet_would_run_is_guarded(start):
    assert spreadsheet.guard_text(f"{start}cmd|x") == f"'{start}cmd|x"


@pytest.mark.parametrize("text", ["-9", "+1.5", "a=b", "", "'=x", "1-2"])
def test_other_text_and_plain_numbers_are_left_alone(text):
    assert spreadsheet.guard_text(text) == text


@pytest.mark.parametrize("text", ["-1+1", "-", "+", "-1.", "--1", "-1e5", "-٣", "-1\n"])
def test_what_only_looks_like_a_number_is_guarded(text):
    assert spreadsheet.guard_text(text) == f"'{text}"


def test_numbers_stay_numbers_in_csv():
    read = pd.read_csv(io.BytesIO(spreadsheet.to_csv(FRAME)))
    assert read["real"].tolist()[:2] == [1.5, -2.0]
    assert read["text"].tolist() == ["'=cmd()", "-9", "'-nine"]
    assert read["level"].tolist() == ["'@a", "b", "b"]
    assert read["day"].tolist()[0] == "2020-01-01"


def test_a_hostile_column_name_is_guarded_too():
    assert spreadsheet.to_csv(pd.DataFrame({"=x": ["a"]})).startswith(b"'=x\n")


def test_the_table_itself_is_not_changed():
    before = FRAME.copy(deep=True)
    spreadsheet.to_csv(FRAME)
    pd.testing.assert_frame_equal(FRAME, before)


def test_write_makes_a_whole_folder(tmp_path, make):
    public = bundle.write(tmp_path / "r", synthetic=make.table(), model=make.model())
    assert public == tmp_path / "r" / "public"
    assert list(manifest.check(public)) == [
        "ledger.json",
        "model/model.json",
        "model/model.npz",
        "plan.json",
        "schema.toml",
        "synthetic.csv",
        "synthetic.parquet",
    ]
    with pytest.raises(UsageError, match="exists already"):
        bundle.write(tmp_path / "r", synthetic=make.table(), model=make.model())


def test_a_crash_at_the_end_leaves_no_release(tmp_path, make):
    def fail(public):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        bundle.write(tmp_path / "r", synthetic=make.table(), model=make.model(), finish=fail)
    assert not (tmp_path / "r" / "public").exists()
    assert list((tmp_path / "r").iterdir()) == []


def test_no_machine_user_or_time_of_day_in_public(made):
    for path in (made / "public").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not re.search(rb"\d\d:\d\d:\d\d", data), path
            assert str(made).encode() not in data, path
            for name in (socket.gethostname(), getpass.getuser()):
                assert len(name) < 6 or name.encode() not in data, path


def test_public_folder_is_found_from_both_sides(made, tmp_path):
    assert bundle.public_folder(made) == made / "public"
    assert bundle.public_folder(made / "public") == made / "public"
    with pytest.raises(UsageError, match="not a release"):
        bundle.public_folder(tmp_path)


def test_an_uncertified_folder_does_not_verify(tmp_path, make):
    bundle.write(tmp_path / "r", synthetic=make.table(), model=make.model())
    with pytest.raises(IntegrityError, match=r"certificate\.json"):
        verify(tmp_path / "r")
