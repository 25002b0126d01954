"""The ledger charges first, never forgets, and says no in time."""

import hashlib
import json
import sqlite3
import stat
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import pytest

from dpsynth.errors import (
    BudgetExceededError,
    IntegrityError,
    LedgerMissingError,
    UnsupportedEventError,
    UsageError,
)
from dpsynth.privacy import ledger as ledger_module
from dpsynth.privacy.events import DiscreteGaussianEvent, PartitionSelectionEvent
from dpsynth.privacy.ledger import Cap, Charge, Identity, Ledger, check_chain, entry_from_dict

EPSILON, DELTA = Fraction(1), Fraction(1, 10**9)


def costing(rho, label="marginal(age)"):
    event = DiscreteGaussianEvent(
        sigma_squared=1 / (2 * Fraction(rho)), l2_sensitivity_squared=Fraction(1)
    )
    return Charge(event=event, label=label)


@pytest.fixture
def ledger(tmp_path):
    with Ledger.create(tmp_path / "people.ledger", cap_epsilon=EPSILON, cap_delta=DELTA) as made:
        yield made


def looked_up(ledger, query, *values):
    with closing(sqlite3.connect(ledger.name)) as connection:
        return connection.execute(query, values).fetchone()


def reopened(ledger):
    return Ledger.open(ledger.name)


def test_a_charge_is_on_the_disk_when_charge_returns(ledger):
    account = ledger.open_release(rho=Fraction(1, 100), seeded=False)
    made = account.charge([costing("1/200", "marginal(age)"), costing("1/400", "marginal(sex)")])
    with reopened(ledger) as again:
        assert again.entries() == made == tuple(again)
        assert again.spent == Fraction(3, 400) == account.spent
        assert again.left == ledger.cap.rho - Fraction(3, 400)
        assert account.left == Fraction(1, 400)
        assert account.entries == made
        again.verify(heads=[made[-1].digest])
    assert [entry.index for entry in made] == [0, 1]
    assert {entry.release for entry in made} == {account.release}


def test_what_was_written_here_is_known_and_what_others_wrote_is_read(ledger, monkeypatch):
    """Both are counted once, whoever wrote them; another's entry is not taken for one's own."""
    read = []
    made = ledger_module._entry
    monkeypatch.setattr(ledger_module, "_entry", lambda *row: read.append(row) or made(*row))
    account = ledger.open_release(rho=Fraction(1, 100), seeded=False)
    first = account.charge([costing("1/200"), costing("1/400")])
    assert len(read) == 2
    assert ledger.entries() == first
    assert ledger.spent == Fraction(3, 400)
    assert len(read) == 2
    with reopened(ledger) as other:
        second = other.open_release(rho=Fraction(1, 800), seeded=False).charge([costing("1/800")])
    assert ledger.entries() == (*first, *second)
    assert ledger.spent == Fraction(7, 800)


def test_the_file_is_for_its_owner_only(ledger, tmp_path):
    assert stat.S_IMODE((tmp_path / "people.ledger").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["people.ledger"]


def test_the_cap_is_the_rho_of_epsilon_and_delta(ledger):
    assert ledger.cap.epsilon == EPSILON
    assert float(ledger.cap.rho) == pytest.approx(0.014973, rel=1e-4)


def test_a_release_that_does_not_fit_is_refused_before_any_charge(ledger):
    with pytest.raises(BudgetExceededError, match="nothing was charged") as caught:
        ledger.open_release(rho=Fraction(1), seeded=False)
    assert caught.value.cost == 1
    assert caught.value.left == ledger.cap.rho
    assert ledger.entries() == ()


def test_the_advice_in_a_refusal_is_good_advice(ledger):
    ledger.open_release(rho=Fraction(1, 100), seeded=False).charge([costing("1/100")])
    with pytest.raises(BudgetExceededError) as caught:
        ledger.open_release(rho=Fraction(1, 100), seeded=False)
    epsilon = Fraction(str(caught.value).rsplit("at most ", 1)[1].rstrip("."))
    from dpsynth.privacy.accounting import rho_from_epsilon

    assert ledger.open_release(rho=rho_from_epsilon(epsilon, DELTA), seeded=False)


def test_a_charge_beyond_the_plan_is_refused_whole(ledger):
    account = ledger.open_release(rho=Fraction(1, 100), seeded=False)
    with pytest.raises(BudgetExceededError, match="the plan of this release"):
        account.charge([costing("1/200"), costing("1/150")])
    assert ledger.entries() == ()


def test_two_releases_share_one_cap(ledger):
    first = ledger.open_release(rho=ledger.cap.rho / 2, seeded=False)
    second = ledger.open_release(rho=ledger.cap.rho, seeded=False)
    first.charge([costing(ledger.cap.rho / 2)])
    with pytest.raises(BudgetExceededError, match="cannot pay for marginal"):
        second.charge([costing(ledger.cap.rho * Fraction(2, 3))])
    second.charge([costing(ledger.cap.rho / 2)])
    assert ledger.left == 0
    with pytest.raises(BudgetExceededError, match="used up"):
        ledger.open_release(rho=Fraction(1, 10**9), seeded=False)
    ledger.verify()


def test_a_ledger_protects_one_unit_for_good(ledger):
    """Releases that protect rows cost persons more: their sum would say nothing of either."""
    rows, persons = ("one row", "one person, named in the column 'pid'")
    wanted = Fraction(1, 100)
    ledger.open_release(rho=wanted, seeded=False, unit=persons)  # charges nothing, so keeps nothing
    first = ledger.open_release(rho=wanted, seeded=False, unit=rows)
    racing = ledger.open_release(rho=wanted, seeded=False, unit=persons)
    first.charge([costing("1/1000")])
    with pytest.raises(UsageError, match="protect one row, and this one one person"):
        racing.charge([costing("1/1000")])
    with pytest.raises(UsageError, match="Declare the same unit; nothing was charged"):
        ledger.open_release(rho=wanted, seeded=False, unit=persons)
    ledger.open_release(rho=wanted, seeded=False, unit=rows).charge([costing("1/1000")])
    assert len(ledger.entries()) == 2
    ledger.verify()


def test_an_empty_charge_is_nothing(ledger):
    assert ledger.open_release(rho=Fraction(1, 100), seeded=False).charge([]) == ()


def test_an_extract_shows_this_release_and_the_table_total(ledger):
    ledger.open_release(rho=Fraction(1, 1000), seeded=False).charge([costing("1/1000")])
    account = ledger.open_release(rho=Fraction(1, 100), seeded=True)
    account.charge([costing("1/500"), costing("1/500")])
    ledger.open_release(rho=Fraction(1, 1000), seeded=False).charge([costing("1/1000")])
    extract = json.loads(json.dumps(account.extract()))
    assert extract["rho_before"] == "1/1000"
    assert extract["rho_release"] == "1/250"
    assert extract["rho_after"] == "1/200"
    assert [entry["index"] for entry in extract["entries"]] == [1, 2]
    assert all(entry["seeded"] for entry in extract["entries"])
    check_chain([entry_from_dict(entry) for entry in extract["entries"]])
    (key,) = looked_up(ledger, "SELECT value FROM meta WHERE name = 'key'")
    assert key.hex() not in json.dumps(extract)


def test_an_extract_of_nothing_is_empty(ledger):
    extract = ledger.open_release(rho=Fraction(1, 100), seeded=False).extract()
    assert extract["entries"] == []
    assert extract["rho_after"] == "0"


# -- identity, key, looks ---------------------------------------------------------------------


def test_another_table_is_reported_and_resets_nothing(ledger):
    ledger.open_release(rho=Fraction(1, 100), seeded=False).charge([costing("1/200")])
    assert ledger.identify(b"first") is Identity.NEW
    assert ledger.identify(b"first") is Identity.SAME
    assert ledger.identify(b"second") is Identity.CHANGED
    assert ledger.identify(b"second") is Identity.SAME
    assert ledger.spent == Fraction(1, 200)
    ledger.verify()


def test_subkeys_belong_to_one_table_and_one_purpose(ledger, tmp_path):
    with Ledger.create(tmp_path / "other", cap_epsilon=EPSILON, cap_delta=DELTA) as other:
        keys = [ledger.keyed("a"), ledger.keyed("b"), other.keyed("a")]
    assert len(set(keys)) == 3
    assert {len(key) for key in keys} == {32}
    with reopened(ledger) as again:
        assert again.keyed("a") == keys[0]


def test_looks_are_kept_in_a_chain_of_their_own(ledger):
    ledger.record_look(subject="demo-release", reason="audit")
    ledger.record_look(subject="demo-release", reason="fidelity")
    assert [look["reason"] for look in ledger.looks()] == ["audit", "fidelity"]
    assert ledger.entries() == ()
    ledger.verify()


# -- refusals ---------------------------------------------------------------------------------


def test_a_missing_ledger_is_refused_with_the_command_to_type(tmp_path):
    with pytest.raises(LedgerMissingError, match="dpsynth ledger init"):
        Ledger.open(tmp_path / "nowhere.ledger")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("epsilon", "delta"), [(0, DELTA), (10**400, DELTA), (1, Fraction(1)), (1, Fraction(0))]
)
def test_a_cap_that_cannot_be_kept_is_refused(tmp_path, epsilon, delta):
    with pytest.raises(UsageError, match="cap"):
        Ledger.create(tmp_path / "ledger", cap_epsilon=Fraction(epsilon), cap_delta=delta)
    assert list(tmp_path.iterdir()) == []


def test_a_cap_may_be_written_as_a_person_writes_it(tmp_path):
    for number, delta in enumerate([1e-9, "1e-9", Fraction(1, 10**9)]):
        with Ledger.create(tmp_path / str(number), cap_epsilon=1, cap_delta=delta) as ledger:
            assert ledger.cap.delta == DELTA
    with pytest.raises(UsageError, match="cap_delta must be a number"):
        Ledger.in_memory(cap_epsilon=1, cap_delta="small")


def test_an_existing_file_is_never_overwritten(ledger):
    with pytest.raises(UsageError, match="exists already"):
        Ledger.create(ledger.name, cap_epsilon=EPSILON, cap_delta=DELTA)


def test_a_file_made_meanwhile_is_not_overwritten(tmp_path, monkeypatch):
    path = tmp_path / "people.ledger"
    path.write_text("mine")
    monkeypatch.setattr(type(path), "exists", lambda self: False)
    with pytest.raises(UsageError, match="exists already"):
        Ledger.create(path, cap_epsilon=EPSILON, cap_delta=DELTA)
    assert path.read_text() == "mine"


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BudgetExceededError, match="cannot be written"):
        Ledger.create(tmp_path / "no" / "ledger", cap_epsilon=EPSILON, cap_delta=DELTA)


@pytest.mark.parametrize("content", [b"", b"not a ledger at all, but long enough" * 100])
def test_a_file_that_is_no_ledger_is_refused(tmp_path, content):
    path = tmp_path / "people.ledger"
    path.write_bytes(content)
    with pytest.raises((IntegrityError, BudgetExceededError)):
        Ledger.open(path)
    assert path.read_bytes() == content


def test_a_ledger_of_another_format_is_refused(ledger):
    with changed(ledger) as connection:
        connection.execute("UPDATE meta SET value = 'dpsynth-ledger/9' WHERE name = 'format'")
    with pytest.raises(IntegrityError, match="not a ledger that this version"):
        reopened(ledger)


def test_a_ledger_without_its_cap_is_refused(ledger):
    with changed(ledger) as connection:
        connection.execute("DELETE FROM meta WHERE name = 'epsilon'")
    with pytest.raises(IntegrityError, match="lost a part"):
        reopened(ledger)


def test_a_ledger_held_by_another_program_is_refused_and_says_so(ledger, monkeypatch):
    account = ledger.open_release(rho=Fraction(1, 100), seeded=False)
    ledger._connection.execute("PRAGMA busy_timeout = 10")
    holder = sqlite3.connect(ledger.name, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(BudgetExceededError, match="cannot be written"):
        account.charge([costing("1/200")])
    monkeypatch.setattr("dpsynth.privacy.ledger._BUSY_SECONDS", 0.01)
    with pytest.raises(BudgetExceededError, match="cannot be opened"):
        reopened(ledger)
    holder.execute("ROLLBACK")
    holder.close()
    assert account.charge([costing("1/200")])


def test_seeded_entries_say_so(ledger):
    ledger.open_release(rho=Fraction(1, 100), seeded=True).charge([costing("1/200")])
    assert [entry.seeded for entry in ledger] == [True]


# -- tampering --------------------------------------------------------------------------------


class changed:  # noqa: N801  # reads as a verb
    """Edit the file behind the ledger's back, its triggers dropped first."""

    def __init__(self, ledger):
        self.connection = sqlite3.connect(ledger.name)
        for (name,) in self.connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            self.connection.execute(f"DROP TRIGGER {name}")

    def __enter__(self):
        return self.connection

    def __exit__(self, *_):
        self.connection.commit()
        self.connection.close()


@pytest.fixture
def charged(ledger):
    account = ledger.open_release(rho=Fraction(1, 100), seeded=False)
    for number in range(4):
        account.charge([costing("1/1000", f"marginal({number})")])
    ledger.record_look(subject="a", reason="b")
    ledger.record_look(subject="c", reason="d")
    return ledger


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET body = replace(body, '500', '900') WHERE position = 1",
        "UPDATE entries SET digest = replace(digest, 'a', 'b')",
        "DELETE FROM entries WHERE position = 1",
        "DELETE FROM entries WHERE position = 0",
        "DELETE FROM internal WHERE position = 0",
        "UPDATE internal SET body = replace(body, '\"a\"', '\"z\"')",
        "UPDATE entries SET body = 'x' WHERE position = 2",
        "UPDATE entries SET position = CASE position WHEN 1 THEN 19 ELSE 10 + position END",
    ],
)
def test_every_edit_is_found(charged, statement):
    charged.verify()
    with changed(charged) as connection:
        connection.execute(statement)
    with pytest.raises(IntegrityError), reopened(charged) as again:
        again.verify()


def test_a_ledger_exchanged_while_open_is_found(charged):
    assert len(charged.entries()) == 4
    with changed(charged) as connection:
        connection.execute("DELETE FROM entries WHERE position = 3")
    with pytest.raises(IntegrityError, match="while it was open"):
        charged.entries()


def test_a_ledger_rolled_back_is_found_by_any_later_certificate(charged):
    head = charged.entries()[-1].digest
    with changed(charged) as connection:
        connection.execute("DELETE FROM entries WHERE position = 3")
    with reopened(charged) as again:
        again.verify()  # nothing inside the file can show it ...
        with pytest.raises(IntegrityError, match="rolled back"):
            again.verify(heads=[head])  # ... and a certificate does


def test_nothing_is_charged_on_a_broken_chain(charged):
    """An entry whose digest was made to fit its edit still breaks the chain behind it."""
    document = charged.entries()[1].to_dict()
    document.pop("digest")
    document["event"] = {**document["event"], "sigma_squared": "900000"}
    body = json.dumps(document, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(body.encode()).hexdigest()
    with changed(charged) as connection:
        connection.execute(
            "UPDATE entries SET body = ?, digest = ? WHERE position = 1", (body, digest)
        )
    with reopened(charged) as again, pytest.raises(IntegrityError, match="does not continue"):
        again.open_release(rho=Fraction(1, 1000), seeded=False)


def test_a_forged_origin_is_found(charged):
    with changed(charged) as connection:
        connection.execute("UPDATE meta SET value = 'other' WHERE name = 'origin'")
    with pytest.raises(IntegrityError, match="does not begin"), reopened(charged) as again:
        again.verify()


def test_a_raised_cap_is_no_help_once_overspent(charged):
    with changed(charged) as connection:
        connection.execute("UPDATE meta SET value = '1/100' WHERE name = 'epsilon'")
    with (
        pytest.raises(IntegrityError, match="more charges than its cap"),
        reopened(charged) as again,
    ):
        again.verify()


@pytest.mark.parametrize("table", ["entries", "internal", "meta"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET {}"])
def test_the_file_itself_refuses_to_forget(charged, table, statement):
    column = "value = 1" if table == "meta" else "body = 'x'"
    with (
        closing(sqlite3.connect(charged.name)) as connection,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        connection.execute(statement.format(table, column))


def test_a_damaged_page_is_found(charged, tmp_path):
    path = tmp_path / "people.ledger"
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    path.write_bytes(bytes(content))
    with pytest.raises((IntegrityError, BudgetExceededError)), reopened(charged) as again:
        again.verify()


def overwrite(ledger, page, content):
    with Path(ledger.name).open("r+b") as file:
        file.seek(page * 4096)
        file.write(content)


def page_of(ledger, table):
    (page,) = looked_up(ledger, "SELECT rootpage FROM sqlite_master WHERE name = ?", table)
    return page - 1


def test_an_index_that_forgot_an_entry_is_found(charged):
    page = page_of(charged, "sqlite_autoindex_entries_1")
    empty = b"\x0a" + b"\x00" * 4 + b"\x10\x00" + b"\x00"  # an index page without a cell
    overwrite(charged, page, empty)
    with pytest.raises(IntegrityError, match="damaged"), reopened(charged) as again:
        again.verify()


def test_damage_that_stops_the_check_itself_is_found(charged):
    with reopened(charged) as again:
        overwrite(charged, 0, b"\xff" * 4096)
        with pytest.raises(IntegrityError, match="damaged"):
            again.verify()


def test_damage_met_while_charging_is_said_to_be_damage(charged):
    account = charged.open_release(rho=Fraction(1, 1000), seeded=False)
    with reopened(charged) as other:  # its debit makes the first one read the file anew
        other.open_release(rho=Fraction(1, 1000), seeded=False).charge([costing("1/10000")])
    overwrite(charged, page_of(charged, "entries"), b"\xff" * 4096)
    with pytest.raises(IntegrityError, match="damaged"):
        account.charge([costing("1/10000")])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("index", "0"),
        ("seeded", 0),
        ("label", None),
        ("neighboring", "sideways"),
        ("label", "marginal(sex)"),
        ("more", 1),
    ],
)
def test_an_entry_document_must_be_exactly_one(charged, field, value):
    document = charged.entries()[0].to_dict()
    with pytest.raises(IntegrityError):
        entry_from_dict({**document, field: value})


def test_an_entry_with_an_unknown_event_is_refused(charged):
    document = charged.entries()[0].to_dict()
    with pytest.raises(UnsupportedEventError):
        entry_from_dict({**document, "event": {"kind": "magic/v1"}})


def test_a_chain_must_be_in_order(charged):
    first, second, third, _ = charged.entries()
    check_chain([first, third])  # another release's entries may lie between
    with pytest.raises(IntegrityError, match="out of order"):
        check_chain([second, first])


def test_a_chain_must_name_what_came_before(charged, tmp_path):
    with Ledger.create(tmp_path / "other", cap_epsilon=EPSILON, cap_delta=DELTA) as other:
        other.open_release(rho=Fraction(1, 100), seeded=False).charge(
            [costing("1/1000"), costing("1/1000")]
        )
        with pytest.raises(IntegrityError, match="does not continue"):
            check_chain([charged.entries()[0], other.entries()[1]])


def test_representation_shows_the_name_alone(charged):
    assert repr(charged) == f"Ledger({charged.name!r})"


def test_a_ledger_in_memory_works_alike():
    ledger = Ledger.in_memory(cap_epsilon=EPSILON, cap_delta=DELTA)
    ledger.open_release(rho=Fraction(1, 100), seeded=True).charge([costing("1/200")])
    ledger.verify()
    assert ledger.spent == Fraction(1, 200)


def selecting(rho, delta):
    event = PartitionSelectionEvent(
        sigma_squared=1 / (2 * Fraction(rho)),
        threshold=Fraction(10**6),
        l2_sensitivity_squared=Fraction(1),
        max_new=Fraction(1),
        delta=Fraction(delta),
    )
    return Charge(event=event, label="values(town)")


def test_the_first_release_fixes_how_delta_is_split(ledger):
    whole = ledger.cap.rho
    half = DELTA / 2
    account = ledger.open_release(rho=Fraction(1, 100), reserved=half, seeded=False)
    assert (ledger.cap.reserved, ledger.cap.rho) == (0, whole), "nothing is fixed by opening"
    account.charge([selecting(Fraction(1, 1000), half / 2), selecting(Fraction(1, 1000), half / 4)])
    assert ledger.cap.reserved == half
    assert whole * Fraction(9, 10) < ledger.cap.rho < whole
    assert ledger.spent_delta == half * Fraction(3, 4)
    with reopened(ledger) as again:
        assert (again.cap, again.spent_delta) == (ledger.cap, ledger.spent_delta)
        again.verify()
    extract = account.extract()
    assert extract["cap"]["reserved_delta"] == str(half)
    assert extract["cap"]["rho"] == str(ledger.cap.rho)
    assert extract["reserved_delta_before"] == "0"
    assert extract["reserved_delta_release"] == extract["reserved_delta_after"]
    with pytest.raises(BudgetExceededError, match="open columns need a delta"):
        ledger.open_release(rho=Fraction(1, 1000), reserved=half / 2, seeded=False)
    with pytest.raises(BudgetExceededError, match="the plan of this release has"):
        account.charge([selecting(Fraction(1, 1000), half / 2)])
    with pytest.raises(BudgetExceededError):
        ledger.open_release(rho=whole - account.spent, seeded=False)
    assert len(ledger.entries()) == 2


def test_a_ledger_that_began_without_open_columns_never_pays_for_any(ledger):
    early = ledger.open_release(rho=Fraction(1, 1000), reserved=DELTA / 2, seeded=False)
    ledger.open_release(rho=Fraction(1, 1000), seeded=False).charge([costing("1/1000")])
    with pytest.raises(BudgetExceededError, match="before the table gave its first answer"):
        ledger.open_release(rho=Fraction(1, 1000), reserved=DELTA / 2, seeded=False)
    with pytest.raises(BudgetExceededError, match="cannot pay for values"):
        early.charge([selecting(Fraction(1, 2000), DELTA / 4)])
    assert ledger.cap.reserved == 0
    assert "reserved_delta" not in str(early.extract())


def test_a_ledger_may_be_made_for_open_columns(tmp_path):
    path = tmp_path / "open.ledger"
    with Ledger.create(path, cap_epsilon=1, cap_delta="1e-9", open_categories=True) as ledger:
        assert ledger.cap.reserved == DELTA / 2
        ledger.open_release(rho=Fraction(1, 1000), seeded=False).charge([costing("1/1000")])
        later = ledger.open_release(rho=Fraction(1, 1000), reserved=DELTA / 2, seeded=False)
        later.charge([selecting(Fraction(1, 2000), DELTA / 2)])
        assert ledger.spent_delta == ledger.cap.reserved
        ledger.verify()


def test_a_selection_needs_a_reserve_in_its_plan(ledger):
    account = ledger.open_release(rho=Fraction(1, 100), seeded=False)
    with pytest.raises(BudgetExceededError, match="has 0 set aside"):
        account.charge([selecting(Fraction(1, 1000), DELTA / 4)])
    assert ledger.entries() == ()


@pytest.mark.parametrize("reserved", [Fraction(-1, 10**9), DELTA])
def test_a_cap_reserves_less_than_all_of_its_delta(reserved):
    with pytest.raises(ValueError, match="reserved must be"):
        Cap(epsilon=EPSILON, delta=DELTA, reserved=reserved)
