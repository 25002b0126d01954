"""What an officer may ask of an audit, and what is refused in one sentence."""

import pytest

from attacks import demands, views
from attacks.audit_report import AuditReport
from attacks.results import AttackResult, Plant, Witness
from attacks.rules import Limits
from attacks.suite import SUITE
from dpsynth.errors import UsageError
from dpsynth.schema import Schema

SCHEMA = Schema.from_dict(
    {
        "columns": [
            {"name": "age", "kind": "integer", "bounds": [0, 99]},
            {"name": "sex", "kind": "categorical", "values": ["m", "f"]},
            {"name": "place", "kind": "categorical", "values": ["n", "s"]},
            {"name": "sick", "kind": "boolean"},
            {"name": "poor", "kind": "boolean"},
        ],
        "quasi_identifiers": ["age", "sex", "poor"],
        "sensitive": ["sick", "poor"],
    }
)


def line(name, hits, adjusted):
    return AttackResult(
        name=name,
        goal="MEMBERSHIP",
        threat_model={},
        status="failed" if adjusted < 0.01 else "passed",
        members_hits=hits,
        members_n=1000,
        controls_hits=50,
        controls_n=1000,
        p_value=adjusted,
        adjusted_p_value=adjusted,
    )


def report(hits, adjusted, *, found=True, **more):
    plant = Plant(share=0.01, planted=9, line=line("scan/copies@x", 90, 0.001 if found else 1.0))
    results = (line("membership/marginal@ranking", hits, adjusted),)
    return AuditReport(
        split="random",
        tier="smoke",
        seed=0,
        unit="row",
        results=results,
        plants=(plant,),
        **more,
    )


PASS, FAIL, DOUBT = report(50, 1.0), report(200, 0.001), report(50, 1.0, found=False)


@pytest.mark.parametrize(
    ("on", "codes"),
    [
        ([], (False, True, False)),
        (["fail"], (False, True, False)),
        (["inconclusive"], (False, True, True)),
        (["never"], (False, False, False)),
        (["membership"], (False, True, False)),
        (["attribute"], (False, False, False)),
        (["attribute", "inconclusive"], (False, True, True)),
    ],
)
def test_the_command_fails_on_what_was_demanded(on, codes):
    demanded = demands.demanded(on)
    assert tuple(demands.failed(found, demanded) for found in (PASS, FAIL, DOUBT)) == codes


def test_a_witness_is_of_the_scan():
    said = Witness(kind="identifier", column="pid", cells=1, decides=True, sentence="A name.")
    assert demands.failed(report(50, 1.0, witnesses=(said,)), ("scan",))
    assert not demands.failed(report(50, 1.0, witnesses=(said,)), ("linkage",))


@pytest.mark.parametrize("wrong", [["always"], ["never", "fail"]])
def test_an_unknown_demand_is_refused(wrong):
    with pytest.raises(UsageError, match="--fail-on"):
        demands.demanded(wrong)


def test_limits_are_read_from_a_file(tmp_path):
    assert demands.limits(None) == Limits()
    path = tmp_path / "strict.toml"
    path.write_text("level = 0.05\n", encoding="utf-8")
    assert demands.limits(path) == Limits(name="strict", level=0.05)
    for text, said in (("much = 1", "'much'"), ("level = 2", "level must"), ("level =", "TOML")):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match=said):
            demands.limits(path)
    with pytest.raises(UsageError, match="can be read"):
        demands.limits(tmp_path / "none.toml")


def test_what_attackers_know_is_read_from_options():
    assert demands.knows(["zip=postcode", "codes=a, b"]) == {
        "zip": ("postcode",),
        "codes": ("a", "b"),
    }
    assert demands.knows(["zip="]) == {"zip": ()}
    for wrong in (["zip"], ["=a"], ["zip=a", "zip=b"]):
        with pytest.raises(UsageError, match="--knows"):
            demands.knows(wrong)


def test_a_secret_is_never_known_and_views_share_what_they_can():
    found = views.views(SCHEMA, attackers=["neighbor", "registry holder"], knows={"zip": ["place"]})
    assert [(view.name, view.known, view.secrets) for view in found] == [
        ("", ("age", "sex", "poor"), ("sick",)),
        ("", ("age", "sex"), ("poor",)),
        ("neighbor", ("age", "sex", "place"), ("sick", "poor")),
        ("registry holder", ("age", "sex", "place", "poor"), ("sick",)),
        ("registry holder", ("age", "sex", "place", "sick"), ("poor",)),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"attackers": ["spy"]},
        {"attackers": ["neighbor"], "knows": {"codes": ["sick"]}},
        {"knows": {"zip": ["place"]}},
        {"attackers": ["neighbor"], "knows": {"zip": ["nowhere"]}},
    ],
)
def test_unknown_attackers_and_parts_are_refused(wrong):
    with pytest.raises(UsageError, match=r"no attacker|not a column"):
        views.views(SCHEMA, **wrong)


def test_every_family_of_the_suite_can_be_demanded():
    assert {entry.name.partition("/")[0] for entry in SUITE} <= set(demands.FAMILIES)
