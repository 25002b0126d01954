"""The claim of a release, rebuilt from its schema, its plan and its part of the ledger.

Certifying and verifying both call :func:`claim_of`: a certificate holds exactly what follows from
the files beside it, and nothing that would have to be believed.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dpsynth
from attacks import shapes
from dpsynth.errors import DpsynthError, IntegrityError
from dpsynth.release import bundle, canonical

if TYPE_CHECKING:
    from dpsynth.schema import Schema

TRAINING = "sampled_gaussian/v1"
OPERATING_SYSTEM = "operating system"
KNOWN_SEED = "known seed"
# How far below the largest possible rho a cap may be stated: machines round differently.
_CAP_SLACK = Fraction(1, 10**9)

Document = Mapping[str, Any]


def read_claim(public: Path) -> dict[str, object]:
    """Rebuild the claim of the release whose public folder is ``public``.

    Raises:
        IntegrityError: schema, plan and ledger extract are malformed or contradict each other.
    """
    plan = shapes.read(public / bundle.PLAN, "plan")
    ledger = shapes.read(public / bundle.LEDGER, "ledger")
    return claim_of(plan, ledger, read_schema(public / bundle.SCHEMA))


def read_schema(path: Path) -> "Schema":
    """Read a released schema; what would be a user's mistake elsewhere is damage here."""
    from dpsynth.schema import Schema

    try:
        return Schema.read(path)
    except (DpsynthError, OSError, UnicodeDecodeError):
        raise IntegrityError(f"{path.name} is not a schema as dpsynth writes it") from None


def claim_of(plan: Document, ledger: Document, schema: "Schema") -> dict[str, object]:
    """Return the claim that plan, ledger extract and schema support together.

    Args:
        plan: as ``plan.json`` holds it.
        ledger: as ``ledger.json`` holds it.
        schema: of the release; says where each public input came from.

    Raises:
        IntegrityError: they contradict each other.
        UnsupportedEventError: the ledger holds an event that the accountant does not know.
    """
    entries: list[dict[str, Any]] = list(ledger["entries"])
    events = [entry["event"] for entry in entries]
    if schema.open_items():
        raise IntegrityError(
            "schema.toml is not closed: it holds guesses that nobody confirmed, or facts that no "
            "ledger entry taught"
        )
    _require_spelling(plan, ledger)
    dpsynth.check_chain(entries)
    _require_planned(plan, ledger, entries)
    _require_unit(plan["unit"], entries, schema)
    _require_cap(ledger["cap"])
    _require_learnt(schema, entries)
    accounted = _accounted(events, plan["delta"])
    return {
        "epsilon": plan["epsilon"],
        "delta": plan["delta"],
        "rho": plan["rho"],
        **_stated({"order": plan.get("order"), "reserved_delta": plan.get("reserved_delta")}),
        "accounted_epsilon": decimal_text(accounted),
        "unit": plan["unit"]["name"],
        "unit_column": plan["unit"]["column"],
        "max_rows": plan["unit"]["max_rows"],
        "neighboring": plan["unit"]["neighboring"],
        "synthesizer": plan["synthesizer"],
        "release": ledger["release"],
        "ledger": [
            {
                "index": entry["index"],
                "phase": step["phase"],
                "label": entry["label"],
                "event": entry["event"],
                "rho": step["rho"],
                "date": entry["date"],
            }
            for step, entry in zip(plan["steps"], entries, strict=True)
        ],
        "ledger_head": entries[-1]["digest"],
        "seeded": any(entry["seeded"] for entry in entries),
        "random_source": (
            KNOWN_SEED if any(entry["seeded"] for entry in entries) else OPERATING_SYSTEM
        ),
        "table_cumulative": _cumulative(ledger),
        "provenance": schema.provenance_summary(),
        "conditional": schema.is_conditional,
        **_stated({"expected_rows": schema.expected_rows if "order" in plan else None}),
    }


def _stated(fields: Mapping[str, object]) -> dict[str, object]:
    """Return what is there: some fields belong to releases that train or have open columns."""
    return {name: value for name, value in fields.items() if value is not None}


def decimal_text(value: Fraction) -> str:
    """Write an exact number with at most 12 places as a decimal, any other as a fraction."""
    scaled = value * 10**12
    if scaled.denominator != 1 or value < 0:
        return canonical.exact_text(value)
    digits = f"{scaled.numerator:013d}"
    return f"{digits[:-12]}.{digits[-12:]}".rstrip("0").rstrip(".")


def _number(text: object, name: str) -> Fraction:
    return canonical.exact_fraction(text, name=name)


def _require_spelling(plan: Document, ledger: Document) -> None:
    """Raise unless every exact number is in lowest terms: one number, one sequence of bytes."""
    for field in ("epsilon", "delta", "rho"):
        _number(plan[field], f"{field} of plan.json")
        _number(ledger["cap"][field], f"cap.{field} of ledger.json")
    for field, text in _reserves(plan, ledger).items():
        _number(text, field)
    for name, holder in (("plan.json", plan), ("the cap", ledger["cap"])):
        if "order" in holder and _number(holder["order"], f"order of {name}") <= 1:
            raise IntegrityError(f"order of {name} must be above 1")
    for step in plan["steps"]:
        _number(step["rho"], f"rho of {step['label']!r} in plan.json")
        _require_event(step, "plan.json")
    for entry in ledger["entries"]:
        _require_event(entry, "ledger.json")
    if not Fraction(plan["delta"]) < 1:
        raise IntegrityError("delta of plan.json must be below 1")
    if not 0 < Fraction(ledger["cap"]["delta"]) < 1:
        raise IntegrityError("delta of the cap must lie between 0 and 1")


def _reserves(plan: Document, ledger: Document) -> dict[str, str]:
    """Return what is stated of delta that is spent beside rho; absent where there is none."""
    return {
        "reserved_delta of plan.json": plan.get("reserved_delta", "0"),
        "cap.reserved_delta of ledger.json": ledger["cap"].get("reserved_delta", "0"),
        **{
            f"reserved_delta_{part} of ledger.json": ledger.get(f"reserved_delta_{part}", "0")
            for part in ("before", "release", "after")
        },
    }


def _require_event(item: Document, where: str) -> None:
    for field, text in item["event"].items():
        if field != "kind":
            _number(text, f"{field} of {item['label']!r} in {where}")


def _require_planned(plan: Document, ledger: Document, entries: Sequence[Document]) -> None:
    """Raise unless the ledger holds exactly the planned charges, and the sums agree."""
    if not entries:
        raise IntegrityError("ledger.json holds no entry, so nothing was paid for")
    if any(entry["release"] != ledger["release"] for entry in entries):
        raise IntegrityError("ledger.json holds an entry of another release")
    if [step["event"] for step in plan["steps"]] != [entry["event"] for entry in entries]:
        raise IntegrityError("the events of ledger.json are not the steps of plan.json")
    _require_orders(plan, ledger, entries)
    planned = Fraction(0)
    for step in plan["steps"]:
        cost = _cost([step["event"]], plan)
        if cost != _number(step["rho"], "a step's rho"):
            raise IntegrityError(f"plan.json states a wrong cost for {step['label']!r}")
        planned += cost
    if planned != _number(plan["rho"], "rho of plan.json"):
        raise IntegrityError("the entries of ledger.json do not add up to the rho of plan.json")
    total = _cost([entry["event"] for entry in entries], ledger["cap"])
    if total != _number(ledger["rho_release"], "rho_release of ledger.json"):
        raise IntegrityError("the entries of ledger.json do not add up to its rho_release")
    before = _number(ledger["rho_before"], "rho_before of ledger.json")
    after = _number(ledger["rho_after"], "rho_after of ledger.json")
    if before < 0 or before + total != after:
        raise IntegrityError("rho_before and rho_release of ledger.json do not add up to rho_after")
    if after > _number(ledger["cap"]["rho"], "the cap's rho"):
        raise IntegrityError("ledger.json shows more spent than its cap allows")
    _require_reserves(plan, ledger, entries)


def _require_orders(plan: Document, ledger: Document, entries: Sequence[Document]) -> None:
    """Raise unless an order is stated where costs need one, and no plan states an idle one.

    A ledger states the order of its cap once anything in it trained, this release or another.
    """
    trains = any(entry["event"]["kind"] == TRAINING for entry in entries)
    if trains != ("order" in plan) or (trains and "order" not in ledger["cap"]):
        raise IntegrityError(
            "plan.json and ledger.json must state an order where a charge trains, and no plan else"
        )


def _cost(events: Sequence[Mapping[str, str]], holder: Document) -> Fraction:
    """Return the zCDP cost of events, or the cost at the order that ``holder`` states."""
    if "order" not in holder:
        return dpsynth.total_rho(events)
    return dpsynth.total_cost(events, holder["order"])


def _require_reserves(plan: Document, ledger: Document, entries: Sequence[Document]) -> None:
    """Raise unless the parts of delta add up, in the plan, in the ledger and under its cap."""
    total = dpsynth.total_reserved_delta([entry["event"] for entry in entries])
    planned, cap, before, release, after = map(Fraction, _reserves(plan, ledger).values())
    if total != planned or (planned and planned >= Fraction(plan["delta"])):
        raise IntegrityError(
            "the entries of ledger.json do not add up to the reserved_delta of plan.json, or leave "
            "nothing of its delta"
        )
    if total != release or before < 0 or before + release != after:
        raise IntegrityError("the reserved deltas of ledger.json do not add up")
    if after > cap or (cap and cap >= Fraction(ledger["cap"]["delta"])):
        raise IntegrityError("ledger.json shows more delta reserved than its cap allows")


def _require_unit(unit: Document, entries: Sequence[Document], schema: "Schema") -> None:
    """Raise unless schema, plan and every charge speak of the same unit and relation."""
    declared = schema.privacy_unit
    stated = (unit["name"], unit["max_rows"], unit["neighboring"])
    if stated != (declared.name, declared.max_rows, declared.neighboring.value):
        raise IntegrityError("the privacy unit of plan.json is not that of schema.toml")
    if unit["column"] != schema.unit.column:
        raise IntegrityError("the person column of plan.json is not that of schema.toml")
    if any(entry["neighboring"] != unit["neighboring"] for entry in entries):
        raise IntegrityError("an entry of ledger.json was charged under another relation")
    rows = Fraction(unit["max_rows"])
    # A count table in which one unit holds max_rows rows moves by that much: less would be a bill
    # for a smaller person than the one that the claim promises to protect.
    least = {
        ("discrete_gaussian/v1", "l2_sensitivity_squared"): rows**2,
        ("discrete_laplace/v1", "l1_sensitivity"): rows,
        ("partition_selection/v1", "l2_sensitivity_squared"): rows,
        ("partition_selection/v1", "max_new"): rows,
    }
    for entry in entries:
        event = entry["event"]
        for (kind, field), bound in least.items():
            if event["kind"] == kind and _number(event[field], field) < bound:
                raise IntegrityError(
                    f"{entry['label']!r} in ledger.json was charged for fewer rows than max_rows"
                )


def _require_cap(cap: Document) -> None:
    """Raise unless the cap's rho is what its epsilon and delta allow, and never more."""
    rho = _number(cap["rho"], "cap.rho of ledger.json")
    try:
        most = dpsynth.rho_of(cap["epsilon"], _unreserved(cap))
    except ValueError as error:
        raise IntegrityError("the cap of ledger.json is out of range") from error
    near = most * (1 - _CAP_SLACK) <= rho <= most * (1 + _CAP_SLACK)
    if not near or _epsilon_of(cap["rho"], cap) > Fraction(cap["epsilon"]):
        raise IntegrityError("the cap of ledger.json states a rho that its epsilon does not give")


def _require_learnt(schema: "Schema", entries: Sequence[Document]) -> None:
    """Raise unless everything that counts as learnt was paid for by a charge of this release."""
    paid = {entry["label"] for entry in entries}
    selected = {
        entry["label"] for entry in entries if entry["event"]["kind"] == "partition_selection/v1"
    }
    for column, fields in schema.provenance_summary()["columns"].items():
        for field, origin in fields.items():
            # Values come out by a selection alone: under another name its delta would be missing.
            taught = selected if field == "learnt_values" else paid
            if origin["status"] == "learnt" and origin["entry"] not in taught:
                raise IntegrityError(
                    f"schema.toml says that {field!r} of column {column!r} was learnt by "
                    f"{origin['entry']!r}, which ledger.json does not hold"
                )


def _cumulative(ledger: Document) -> dict[str, object]:
    """Return what all releases of the table have spent so far, and what they may ever spend."""
    cap = ledger["cap"]
    return {
        "rho_before": ledger["rho_before"],
        "rho_after": ledger["rho_after"],
        "epsilon": decimal_text(_epsilon_of(ledger["rho_after"], cap)),
        "delta": cap["delta"],
        "cap_epsilon": cap["epsilon"],
        "cap_rho": cap["rho"],
        **_stated(
            {
                "cap_order": cap.get("order"),
                "reserved_delta_before": ledger.get("reserved_delta_before"),
                "reserved_delta_after": ledger.get("reserved_delta_after"),
                "cap_reserved_delta": cap.get("reserved_delta"),
            }
        ),
    }


def _unreserved(cap: Document) -> str:
    """Return the part of the cap's delta that goes with its rho."""
    return canonical.exact_text(Fraction(cap["delta"]) - Fraction(cap.get("reserved_delta", "0")))


def _epsilon_of(rho: object, cap: Document) -> Fraction:
    """Return the epsilon of a total at the cap's delta: of its order, or as zCDP.

    The latter through one Gaussian event that costs exactly that. An order other than that of the
    cap gives a cap of larger epsilon than it states, which is refused.
    """
    delta = _unreserved(cap)
    if "order" in cap:
        return dpsynth.epsilon_at(_number(rho, "a total of ledger.json"), cap["order"], delta)
    twice = canonical.exact_text(2 * _number(rho, "a total of ledger.json"))
    event = {
        "kind": "discrete_gaussian/v1",
        "sigma_squared": "1",
        "l2_sensitivity_squared": twice,
    }
    return _accounted([event], delta)


def _accounted(events: Sequence[Mapping[str, str]], delta: str) -> Fraction:
    try:
        return dpsynth.claimed_epsilon(events, delta)
    except ArithmeticError as error:
        raise IntegrityError("ledger.json holds a cost that no accountant can state") from error
    except ValueError as error:
        raise IntegrityError(
            f"ledger.json holds a cost or delta that is out of range: {error}"
        ) from error
