"""The raw-value scan: copies of records, real identifiers, values outside the domain."""

import numpy as np
import pandas as pd
import pytest

import attacks
from attacks.base import Evidence, NotApplicable, TooLittle
from attacks.engine.counts import record_words
from attacks.engine.encode import missing, ordered, sizes
from attacks.engine.table import CodedTable, by_row, joined
from attacks.linkage.closest import ClosestRows
from attacks.linkage.game import linkage
from attacks.observed import Stage
from attacks.scan.copies import Copies, NearCopies, scan
from attacks.scan.identifiers import real_identifiers
from attacks.scan.shown import Shown
from attacks.scan.witnesses import undeclared_values
from attacks.singling_out.game import singling_out
from attacks.singling_out.whole_record import WholeRecord
from attacks.tables import read
from dpsynth.schema import Schema

SIZES = {"age": 60, "sex": 2, "dose": 30, "arm": 4}
COLUMNS = tuple(SIZES)


def codes_of(rows, *, seed):
    rng = np.random.default_rng(seed)
    drawn = [rng.integers(0, size, rows) for size in SIZES.values()]
    return np.column_stack(drawn).astype(np.int32).reshape(rows, len(SIZES))


def table(rows, *, seed):
    return by_row(COLUMNS, codes_of(rows, seed=seed))


def evidence(release):
    return Evidence(
        release=release,
        population=by_row(release.columns, release.codes[:0]),
        sizes=SIZES,
        ordered=dict.fromkeys(COLUMNS, False),
    )


def hits(attack, release, targets):
    stage = Stage(targets=targets, one_row=targets, views=())
    (seen,) = scan(attack, evidence(release), stage)
    return seen.hits


def slow_copies(targets, release, dropped):
    """Whose rows, without a column, are nobody else's and stand in the release."""
    kept = [place for place in range(targets.codes.shape[1]) if place != dropped]
    held = {tuple(row) for row in release.codes[:, kept].tolist()}
    owners = {}
    for row, person in zip(targets.codes[:, kept].tolist(), targets.persons.tolist(), strict=True):
        owners.setdefault(tuple(row), set()).add(person)
    found = np.zeros(targets.size, dtype=bool)
    for row, persons in owners.items():
        if len(persons) == 1 and row in held:
            found[persons.pop()] = True
    return found


def several_rows_each(rows, persons, *, seed):
    codes = codes_of(rows, seed=seed)
    whose = np.random.default_rng(seed).integers(0, persons, rows)
    return CodedTable(
        columns=COLUMNS, codes=codes, words=record_words(codes), persons=whose, size=persons
    )


def test_copies_are_those_of_plain_code():
    for targets in (table(900, seed=1), several_rows_each(900, 300, seed=2)):
        release = table(2000, seed=3)
        found = hits(Copies(), release, targets)
        assert found.tolist() == slow_copies(targets, release, None).tolist()
        near = hits(NearCopies(), release, targets)
        slow = np.logical_or.reduce([slow_copies(targets, release, place) for place in range(4)])
        assert near.tolist() == slow.tolist()
        assert 0.02 < found.mean() < 0.5
        assert near.mean() < 0.98


def test_a_copied_table_is_found_whole():
    members, controls = table(800, seed=1), table(800, seed=2)
    found = hits(Copies(), members, joined(members, controls))
    assert found[:800].mean() > 0.85  # the others share their record
    assert not found[800:].any()


def test_digits_count_where_codes_stand_for_ranges():
    codes = codes_of(50, seed=1)
    member = CodedTable(
        columns=COLUMNS,
        codes=codes,
        words=record_words(codes) ^ np.uint64(1),  # other digits under the same codes
        persons=np.arange(50),
        size=50,
    )
    assert not hits(Copies(), by_row(COLUMNS, codes), member).any()
    assert hits(Copies(), member, member).mean() > 0.9


def test_a_record_that_two_persons_have_gives_neither_away():
    codes = codes_of(1, seed=1)
    twice = by_row(COLUMNS, np.concatenate([codes, codes]))
    assert not hits(Copies(), twice, twice).any()
    both_his = CodedTable(
        columns=COLUMNS,
        codes=twice.codes,
        words=twice.words,
        persons=np.zeros(2, dtype=np.int64),
        size=1,
    )
    assert hits(Copies(), twice, both_his).all()


def test_small_and_odd_tables():
    for attack in (Copies(), NearCopies()):
        assert hits(attack, table(1, seed=1), table(3, seed=2)).shape == (3,)
        assert hits(attack, table(1, seed=1), table(0, seed=2)).size == 0
        with pytest.raises(TooLittle):
            hits(attack, table(0, seed=1), table(3, seed=2))
    narrow = by_row(("age", "sex"), codes_of(5, seed=1)[:, :2])
    with pytest.raises(NotApplicable):
        hits(NearCopies(), narrow, narrow)


SCHEMA = Schema.from_dict(
    {
        "unit": {"kind": "person", "column": "pid", "max_rows": 1},
        "columns": [
            {"name": "pid", "kind": "identifier", "dtype": "str"},
            {"name": "name", "kind": "excluded"},
            {"name": "born", "kind": "excluded"},
            {"name": "age", "kind": "integer", "bounds": [0, 99], "nullable": True},
            {"name": "town", "kind": "categorical", "values": ["Ash", 'O\'Byrne, "W"', "Żarki"]},
            {"name": "seen", "kind": "date", "bounds": ["2020-01-01", "2020-12-31"]},
            {"name": "change", "kind": "continuous", "bounds": [-50.0, 50.0]},
            {"name": "drug", "kind": "categorical", "open": True},
            {"name": "alive", "kind": "boolean", "missing_codes": ["?"]},
        ],
    }
)


def persons(count, *, seed, ids=None, names=None):
    rng = np.random.default_rng(seed)
    letters = np.array(list("abcdefghijklmnoprstuwz"))
    made = ["".join(rng.choice(letters, 12)) for _ in range(count)]
    days = np.datetime64("2020-01-01") + rng.integers(0, 366, count)
    return pd.DataFrame(
        {
            "pid": ids if ids is not None else rng.integers(10**7, 10**8, count).astype(str),
            "name": names if names is not None else [f"{m.title()} O'{m[:5]}" for m in made],
            "born": (days - 20000).astype(str),
            "age": np.where(rng.random(count) < 0.1, np.nan, rng.integers(0, 100, count)),
            "town": rng.choice(["Ash", 'O\'Byrne, "W"', "Żarki"], count),
            "seen": days.astype(str),
            "change": rng.normal(0, 8, count).round(1),
            "drug": rng.choice(["aspirin", "Ibuprofen 400"], count),
            "alive": rng.choice(["yes", "no", "?"], count),
        }
    )


MEMBERS, CONTROLS = persons(400, seed=1), persons(400, seed=2)
FRESH = persons(500, seed=3)


def shown(released, schema=SCHEMA):
    """What is gathered of a release that comes in two frames."""
    return Shown.of([released[: len(released) // 2], released[len(released) // 2 :]], schema)


def identifiers(released, *, members=MEMBERS, controls=CONTROLS, random=True):
    return real_identifiers(shown(released), members, controls, SCHEMA, random=random)


def seen_outside(released):
    return {flag.column: flag.cells for flag in undeclared_values(shown(released))}


@pytest.mark.parametrize("random", [True, False])
def test_a_fresh_table_holds_no_identifier(random):
    # Persons, names and numbers of its own; and running numbers, as generators make them.
    assert identifiers(FRESH, random=random) == []
    running = FRESH.assign(pid=np.arange(1, 501))
    assert identifiers(running, random=random) == []
    assert identifiers(FRESH.drop(columns=["pid", "name", "born"]), random=random) == []


@pytest.mark.parametrize("random", [True, False])
def test_one_real_name_is_enough(random):
    for value in (MEMBERS["name"][7], f"  {MEMBERS['name'][7].upper()} "):
        leak = FRESH.assign(drug=[value, *FRESH["drug"][1:]])
        (witness,) = identifiers(leak, random=random)
        assert (witness.kind, witness.column, witness.cells) == ("identifier", "drug", 1)
        assert witness.decides
        assert value.strip().casefold() not in witness.sentence.casefold()
        assert "'name'" in witness.sentence


def test_real_person_ids_in_the_column_of_ids():
    leak = FRESH.assign(pid=MEMBERS["pid"].sample(500, replace=True, random_state=0).to_numpy())
    (witness,) = identifiers(leak, random=False)
    assert (witness.column, witness.cells, witness.decides) == ("pid", 500, True)


def test_numbers_are_found_whatever_their_dtype():
    numbers = MEMBERS["pid"].astype(int)
    for held in (numbers, numbers.astype(float), numbers.astype(object), numbers.astype("Int64")):
        leak = FRESH.assign(pid=np.resize(held.to_numpy(), 500))
        assert [w.column for w in identifiers(leak)] == ["pid"]


def test_running_numbers_that_meet_decide_only_where_coins_drew():
    ids = np.random.default_rng(0).permutation(800) + 1
    members = persons(400, seed=1, ids=ids[:400])
    controls = persons(400, seed=2, ids=ids[400:])
    generated = FRESH.assign(pid=np.arange(1, 501))  # hits members and controls alike
    passed_on = FRESH.assign(pid=np.resize(ids[:400], 500))
    for random in (True, False):
        assert not identifiers(generated, members=members, controls=controls, random=random)
        (witness,) = identifiers(passed_on, members=members, controls=controls, random=random)
        assert witness.decides
    # Numbered one after the other: nobody can tell the generator's numbers from the members'.
    in_order = persons(400, seed=1, ids=np.arange(1, 401))
    after = persons(400, seed=2, ids=np.arange(401, 801))
    same = FRESH.assign(pid=np.resize(np.arange(1, 401), 500))
    assert not identifiers(same, members=in_order, controls=after, random=False)


def test_a_list_of_real_persons_is_a_flag():
    everyone = pd.concat([MEMBERS["name"], CONTROLS["name"]]).to_numpy()
    leak = FRESH.assign(name=np.random.default_rng(0).permutation(everyone)[:500])
    (witness,) = identifiers(leak)
    assert not witness.decides
    assert "controls" in witness.sentence


def test_short_values_and_shared_names_are_no_witness():
    few = ["anna", "bob", "eve", "li"]
    members = persons(400, seed=1, names=np.resize(few, 400))
    controls = persons(400, seed=2, names=np.resize(few[:3], 400))
    leak = FRESH.assign(drug=np.resize(["li", "anna"], 500))
    # Only members have "li", but four letters meet by chance.
    assert not identifiers(leak, members=members, controls=controls, random=False)


def test_what_controls_have_as_well_names_no_member():
    wards = ["Saint Elmo, fourth floor", "The long gallery, west"]
    members = persons(400, seed=1, names=np.resize(wards, 400))
    controls = persons(400, seed=2, names=np.resize(wards, 400))
    leak = FRESH.assign(drug=np.resize(wards, 500))
    assert identifiers(leak, members=members, controls=controls) == []


def test_declared_values_and_dates_are_not_looked_for():
    members = MEMBERS.assign(name="Ash", born=FRESH["seen"][:400])
    assert identifiers(FRESH, members=members) == []


def test_values_of_the_very_column_are_no_identifiers():
    # An excluded column that an open one was made from: members' words, learnt and released.
    words = [f"{drug} twice a day" for drug in ("Naproxen", "Metamizole")]
    members = MEMBERS.assign(name=np.resize(words, 400), drug=np.resize(words, 400))
    released = FRESH.assign(drug=np.resize(words, 500))
    assert identifiers(released, members=members) == []
    other = members.assign(drug="aspirin")
    assert [witness.column for witness in identifiers(released, members=other)] == ["drug"]


def test_fresh_numbers_raise_no_false_alarm_where_they_are_dense():
    # 100 audits of 4,000 random numbers below 100,000 against 500: about 20 hits by chance each,
    # on either side. One false witness in 1,000 audits is allowed, so two in 100 are rare (0.5 %).
    alarms = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        ids = rng.permutation(np.arange(10_000, 100_000))
        members = pd.DataFrame({"pid": ids[:4000].astype(str)})
        controls = pd.DataFrame({"pid": ids[4000:8000].astype(str)})
        released = pd.DataFrame({"pid": rng.integers(10_000, 100_000, 500).astype(str)})
        found = identifiers(released, members=members, controls=controls)
        alarms += any(witness.decides for witness in found)
    assert alarms <= 1


def test_what_is_outside_the_domain():
    assert seen_outside(FRESH) == {}
    assert seen_outside(FRESH.astype(object)) == {}
    assert seen_outside(FRESH.astype({"age": "Int64"}).astype("string")) == {}
    strange = FRESH.assign(
        age=[101.0, -1.0, 7.5, None, *FRESH["age"][4:]],
        town=["O'Byrne, W", " Ash ", None, *FRESH["town"][3:]],
        seen=["2021-01-01", "yesterday", *FRESH["seen"][2:]],
        change=[-51.0, np.inf, None, *FRESH["change"][3:]],
        alive=["maybe", None, *FRESH["alive"][2:]],
        drug=["anything", *FRESH["drug"][1:]],
    )
    assert seen_outside(strange) == {"age": 3, "town": 2, "seen": 2, "change": 3, "alive": 1}
    flags = undeclared_values(shown(strange))
    assert not any(flag.decides for flag in flags)
    assert all("'" + flag.column + "'" in flag.sentence for flag in flags)


def test_codes_that_roll_up_are_declared():
    schema = Schema.from_dict(
        {
            "unit": {"kind": "row"},
            "columns": [{"name": "code", "kind": "categorical", "codes": "icd9"}],
        }
    )
    released = pd.DataFrame({"code": ["250.01", "250", "no such code"]})
    assert [flag.cells for flag in undeclared_values(shown(released, schema))] == [1]


def test_empty_tables():
    assert identifiers(FRESH.iloc[:0]) == []
    assert identifiers(FRESH, members=MEMBERS.iloc[:0]) == []
    assert seen_outside(FRESH.iloc[:0]) == {}
    leak = FRESH.assign(name=MEMBERS["name"][0])
    assert identifiers(leak, controls=CONTROLS.iloc[:0])[0].decides


def test_an_audit_fails_on_one_real_name():
    leak = FRESH.assign(drug=[MEMBERS["name"][7], *FRESH["drug"][1:]])
    report, clean = (
        attacks.audit(released, MEMBERS, CONTROLS, SCHEMA, tier="smoke", subgroups_of=[])
        for released in (leak, FRESH)
    )
    assert report.verdict == "FAIL"
    assert [witness.column for witness in report.witnesses] == ["drug"]
    assert MEMBERS["name"][7] not in str(report.to_dict())
    assert clean.verdict != "FAIL"
    assert not clean.witnesses


def test_apostrophes_missing_and_negative_values_and_dates_hide_no_copy():
    # Through a file as a user would hand it in: every cell is text there.
    written = MEMBERS.astype("string").astype(object).where(MEMBERS.notna(), None)
    tables = read(written.sample(frac=1, random_state=0), MEMBERS, CONTROLS, SCHEMA)
    together = joined(tables.members, tables.controls)
    stage = Stage(targets=together, one_row=together, views=())
    held = Evidence(
        release=tables.release,
        population=tables.controls.take(np.empty(0, dtype=np.int64)),
        sizes=sizes(tables.schema),
        ordered=ordered(tables.schema),
        missing=missing(tables.schema),
    )
    for game, attack in (
        (scan, Copies()),
        (scan, NearCopies()),
        (singling_out, WholeRecord()),
        (linkage, ClosestRows(first=("age", "town", "seen"))),
    ):
        line = game(attack, held, stage)[0]
        assert line.hits[:400].mean() > 0.99, line.name
        assert line.hits[400:].mean() < 0.05, line.name
