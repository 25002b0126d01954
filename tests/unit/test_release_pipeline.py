"""A release: refused early, certified before anything looks at real rows, silent about counts."""

import json
import re
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import dpsynth
from attacks.verify import verify
from dpsynth.errors import BudgetExceededError, DataError, UnfitEnvironmentError, UsageError
from dpsynth.privacy.bounding import bound_rows
from dpsynth.release import pipeline, spreadsheet
from dpsynth.sources.frame import prepare

PERSONS = 2311
MAX_ROWS = 3


@pytest.fixture(autouse=True)
def keys_of_our_own(tmp_path, monkeypatch):
    monkeypatch.setenv("DPSYNTH_HOME", str(tmp_path / "home"))
    pipeline.find_gate().check_key(None)


def schema():
    return dpsynth.Schema.from_dict(
        {
            "unit": {"kind": "person", "column": "person", "max_rows": MAX_ROWS},
            "quasi_identifiers": ["sex", "age"],
            "sensitive": ["ill"],
            "columns": [
                {"name": "person", "kind": "identifier"},
                {"name": "sex", "kind": "categorical", "values": ["F", "M"]},
                {"name": "age", "kind": "integer", "bounds": [0, 110]},
                {"name": "cost", "kind": "continuous", "bounds": [0, 10_000], "nullable": True},
                {"name": "ill", "kind": "boolean"},
                {"name": "town", "kind": "categorical", "open": True},
            ],
        }
    )


def visits(persons=PERSONS, seed=8):
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(persons), rng.integers(1, 6, persons))
    rows = len(person)
    return pd.DataFrame(
        {
            "person": person,
            "sex": rng.choice(["F", "M"], rows),
            "age": rng.integers(0, 100, rows),
            "cost": rng.exponential(900, rows).round(2),
            "ill": rng.random(rows) < 0.2,
            "town": np.where(person % 9 == 0, np.char.add("hamlet ", person.astype(str)), "city"),
        }
    )


class World:
    def __init__(self, folder, table):
        self.folder, self.table = folder, folder / "visits.parquet"
        self.ledger = folder / "visits.ledger"
        table.to_parquet(self.table)
        dpsynth.Ledger.create(
            self.ledger, cap_epsilon=Fraction(8), cap_delta=Fraction(1, 10**8)
        ).close()

    def release(self, name="release", **more):
        settings = {
            "schema": schema(),
            "synthesizer": "mst",
            "epsilon": "1/2",
            "delta": "1e-9",
            "ledger": self.ledger,
            "out": self.folder / name,
        }
        return dpsynth.make_release(self.table, **{**settings, **more})

    @property
    def spent(self):
        with dpsynth.Ledger.open(self.ledger) as ledger:
            return ledger.spent


@pytest.fixture
def world(tmp_path):
    return World(tmp_path, visits())


def texts(folder):
    """Every public file as text; tables as what their readers would see of them."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix not in {".parquet", ".npz"}:
            yield path.name, path.read_text(encoding="utf-8")


def numbers(text):
    return set(re.findall(r"(?<![\d.])\d{4,7}(?![\d.])", text.replace(",", "")))


def test_no_exact_count_is_public(world):
    """A count that leaked would stand in both releases; noise meets it twice once in a million."""
    raw = visits()
    with dpsynth.Ledger.open(world.ledger) as ledger:
        half = prepare(raw, schema(), key=ledger.keyed, control=Fraction(1, 10))
    kept = bound_rows(
        np.arange(len(raw), dtype=np.uint64), raw["person"].to_numpy(), max_rows=MAX_ROWS
    )
    exact = {
        len(raw),
        raw["person"].nunique(),
        int(kept.sum()),
        len(half.members),
        half.members["person"].nunique(),
        len(half.controls),
        half.controls["person"].nunique(),
    }
    assert len(exact) == 7
    found = []
    for name in ("one", "two"):
        public = world.release(name).directory / "public"
        shown = set()
        for file, text in texts(public):
            if file != "synthetic.csv":
                shown |= numbers(text)
        shown.add(str(len(pd.read_parquet(public / "synthetic.parquet"))))
        arrays = np.load(public / "model" / "model.npz", allow_pickle=False)
        for array in arrays.values():
            shown.add(f"{array.sum():.6f}".removesuffix(".000000"))
        found.append({count for count in exact if str(count) in shown})
    assert not found[0] & found[1]


def test_the_private_file_leaves_no_trace_in_public(world):
    import hashlib

    public = world.release().directory / "public"
    digest = hashlib.sha256(world.table.read_bytes()).hexdigest()
    with dpsynth.Ledger.open(world.ledger) as ledger:
        secrets = [ledger.keyed(purpose).hex() for purpose in ("rows", "controls", "identity")]
    for _, text in texts(public):
        assert str(world.folder) not in text
        assert world.table.name not in text
        assert "hamlet" not in text
        assert not any(secret in text for secret in [digest, *secrets])


def test_public_and_internal_stand_apart(world):
    outcome = world.release()
    folder = outcome.directory
    assert sorted(path.name for path in folder.iterdir()) == ["internal", "public"]
    certificate = (folder / "public" / "certificate.json").read_text()
    assert "membership" not in json.dumps(json.loads(certificate)["predicate"]["conformance"])
    assert outcome.public_verdict == json.loads(certificate)["predicate"]["verdict"] == "PASS"
    with dpsynth.Ledger.open(world.ledger) as ledger:
        assert [look["reason"] for look in ledger.looks()] == ["audit of a release"]


def test_a_broken_audit_changes_nothing_public(world, monkeypatch):
    gate = pipeline.find_gate()

    class Broken(type(gate)):
        def audit_internal(self, *_, **__):
            raise RuntimeError("a value of a person")

    monkeypatch.setattr(pipeline, "find_gate", Broken)
    outcome = world.release()
    assert outcome.public_verdict == "PASS"
    assert outcome.internal_verdict == pipeline.NOT_AUDITED
    assert any("RuntimeError" in warning for warning in outcome.warnings)
    assert not any("a value of a person" in warning for warning in outcome.warnings)
    assert (outcome.directory / "public" / "manifest.json").is_file()
    assert not (outcome.directory / "internal").exists()


def test_neighbors_get_the_same_public_facts(tmp_path):
    """One person more, unlike all others: the same files, plan and schema, byte for byte."""
    stranger = pd.DataFrame(
        {
            "person": [10**6] * (MAX_ROWS + 3),
            "sex": ["X"] * (MAX_ROWS + 3),
            "age": [10**9] * (MAX_ROWS + 3),
            "cost": [float("inf")] * (MAX_ROWS + 3),
            "ill": [True] * (MAX_ROWS + 3),
            "town": [f"a town of their own {row}" for row in range(MAX_ROWS + 3)],
        }
    )
    seen = []
    for name, table in [("with", [visits(300), stranger]), ("without", [visits(300)])]:
        (tmp_path / name).mkdir()
        world = World(tmp_path / name, pd.concat(table, ignore_index=True))
        steps = []
        outcome = world.release(progress=steps.append, rows=100)
        public = outcome.directory / "public"
        names = sorted(str(path.relative_to(public)) for path in public.rglob("*"))
        same = [(public / file).read_bytes() for file in ("plan.json", "schema.toml")]
        dtypes = pd.read_parquet(public / "synthetic.parquet").dtypes.astype(str).to_dict()
        events = [
            entry["event"] for entry in json.loads((public / "ledger.json").read_text())["entries"]
        ]
        steps_and_end = (steps, outcome.public_verdict, len(outcome.warnings))
        seen.append((names, same, dtypes, events, steps_and_end))
    assert seen[0] == seen[1]


def test_changed_content_is_reported_and_resets_nothing(world):
    world.release("one")
    before = world.spent
    visits(500, seed=9).to_parquet(world.table)
    outcome = world.release("two")
    assert any("other content" in warning for warning in outcome.warnings)
    assert world.spent == 2 * before


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"control": "1"}, UsageError),
        ({"rows": -1}, UsageError),
        ({"epsilon": "nan"}, UsageError),
        ({"synthesizer": "magic"}, UsageError),
        ({"epsilon": "9"}, BudgetExceededError),
        ({"policy": "no-such-policy"}, UsageError),
    ],
)
def test_what_can_be_refused_is_refused_before_it_costs(world, more, error):
    with pytest.raises(error):
        world.release(**more)
    assert world.spent == 0
    assert not (world.folder / "release").exists()


def test_a_folder_that_exists_is_not_touched(world):
    (world.folder / "release").mkdir()
    with pytest.raises(UsageError, match="exists already"):
        world.release()
    with pytest.raises(UsageError, match="does not exist"):
        world.release(out=world.folder / "no" / "release")
    assert world.spent == 0


def test_a_wrong_table_is_refused_before_it_costs(world):
    visits().drop(columns="age").to_parquet(world.table)
    with pytest.raises(DataError, match="age"):
        world.release()
    assert world.spent == 0


def test_without_a_gate_nothing_starts(world, monkeypatch):
    monkeypatch.setattr(pipeline, "_GATE", "dpsynth.no-such-gate")
    with pytest.raises(UnfitEnvironmentError, match="no gate"):
        world.release()
    assert world.spent == 0


def test_a_trial_that_stops_costs_nothing(world, monkeypatch):
    def stopped(gate, plan, schema, *, stored):
        raise UnfitEnvironmentError("no trial today")

    monkeypatch.setattr(type(pipeline.find_gate()), "conform", stopped)
    with pytest.raises(UnfitEnvironmentError, match="no trial"):
        world.release()
    assert world.spent == 0
    assert not (world.folder / "release").exists()


def test_open_columns_are_certified_at_a_larger_delta(tmp_path):
    world = World(tmp_path, visits(60))
    world.ledger.unlink()
    dpsynth.Ledger.create(world.ledger, cap_epsilon=8, cap_delta="1e-5").close()
    assert world.release(delta="1e-6").public_verdict == "PASS"


def test_a_large_synthetic_table_is_written_as_it_is_drawn_and_attacked_on_disk(world, monkeypatch):
    monkeypatch.setattr("dpsynth.sources.reading.LARGE_CELLS", 1000)

    def held(*_, **__):
        raise AssertionError("the table was drawn into memory")

    with monkeypatch.context() as patched:
        patched.setattr(dpsynth.FittedModel, "sample", held)
        outcome = world.release()
    assert outcome.internal_verdict != pipeline.NOT_AUDITED, outcome.warnings
    public = outcome.directory / "public"
    expected = dpsynth.load_model(public / "model").sample(seed=pipeline.SAMPLE_SEED)
    pd.testing.assert_frame_equal(pd.read_parquet(public / "synthetic.parquet"), expected)
    assert (public / "synthetic.csv").read_bytes() == spreadsheet.to_csv(expected)
    audit = json.loads((outcome.directory / "internal" / "audit.json").read_text(encoding="utf-8"))
    assert audit["tables"] == [
        f"all {len(expected):,} rows of the synthetic table were read and attacked, from codes on "
        "disk"
    ]
    fidelity = json.loads(
        (outcome.directory / "internal" / "fidelity.json").read_text(encoding="utf-8")
    )
    assert fidelity["measures"]
    assert f"all {len(expected):,} rows" in fidelity["notes"][0]
    assert verify(outcome.directory).internal_verdict == outcome.internal_verdict


def test_a_small_synthetic_table_is_held(world):
    outcome = world.release(rows=300)
    audit = json.loads((outcome.directory / "internal" / "audit.json").read_text(encoding="utf-8"))
    assert "tables" not in audit
