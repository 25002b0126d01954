"""A ledger put back to an older state is found by any release that it has forgotten."""

import shutil
from fractions import Fraction

import pandas as pd

import dpsynth
from dpsynth.cli.app import main

COLUMNS = [{"name": "sex", "kind": "categorical", "values": ["F", "M"]}]


def test_a_rolled_back_ledger_is_found(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DPSYNTH_HOME", str(tmp_path / "home"))
    now, then, table = tmp_path / "now", tmp_path / "then", tmp_path / "people.parquet"
    dpsynth.Ledger.create(now, cap_epsilon=Fraction(3), cap_delta=Fraction(1, 10**9)).close()
    shutil.copyfile(now, then)
    pd.DataFrame({"sex": ["F", "M"] * 50}).to_parquet(table)
    dpsynth.make_release(
        table,
        schema=dpsynth.Schema.from_dict({"columns": COLUMNS}),
        synthesizer="independent",
        epsilon=1,
        delta=1e-9,
        ledger=now,
        out=tmp_path / "release",
    )
    release = ["--release", str(tmp_path / "release")]
    assert main(["ledger", "verify", str(now), *release]) == 0
    assert main(["ledger", "verify", str(then)]) == 0  # consistent in itself
    assert main(["ledger", "verify", str(then), *release]) == 5
    assert "rolled back" in capsys.readouterr().err
    (tmp_path / "release" / "public" / "ledger.json").write_text('{"entries":[1]}')
    assert main(["ledger", "verify", str(now), *release]) == 5
