"""Who attacks, what they are given, and which columns of a schema that is."""

import pytest

from attacks.presets import INSURER, NEIGHBOR, PRESETS, REGISTRY_HOLDER
from attacks.report.lines import MODEL_WORDS
from attacks.threat_model import DataKnowledge, GeneratorAccess, Goal, ThreatModel
from dpsynth.errors import UsageError
from dpsynth.schema import Schema


def text(name, **more):
    return {"name": name, "kind": "categorical", "values": ["a", "b"], **more}


SCHEMA = Schema.from_dict(
    {
        "unit": {"kind": "person", "column": "patient_id", "max_rows": 3},
        "columns": [
            {"name": "patient_id", "kind": "identifier"},
            {"name": "ageAtVisit", "kind": "integer", "bounds": [0, 120]},
            text("GENDER"),
            text("zip3"),
            text("race"),
            {"name": "admit_day", "kind": "date", "bounds": ["2020-01-01", "2021-12-31"]},
            text("ward"),
            {"name": "num_procedures", "kind": "integer", "bounds": [0, 9]},
            {"name": "main", "kind": "categorical", "codes": "ICD-10"},
            text("diag_2"),
            text("diag_3"),
            text("diag_4"),
            text("readmitted"),
        ],
        "sensitive": ["readmitted"],
    }
)


def test_presets_find_their_columns_by_name_kind_and_code_system():
    assert NEIGHBOR.columns(SCHEMA) == ("ageAtVisit", "GENDER", "zip3", "admit_day", "ward")
    assert INSURER.columns(SCHEMA) == (
        *("ageAtVisit", "GENDER", "zip3", "race"),
        *("main", "diag_2", "diag_3"),
    )
    assert NEIGHBOR.missing(SCHEMA) == ()
    assert INSURER.missing(SCHEMA) == ("marital",)


def test_registry_holder_knows_all_but_the_secret():
    everything = REGISTRY_HOLDER.columns(SCHEMA)
    assert everything == tuple(column.name for column in SCHEMA.modeled)
    assert set(everything) - set(REGISTRY_HOLDER.columns(SCHEMA, secret="main")) == {"main"}


def test_nobody_knows_the_secret():
    assert "ward" not in NEIGHBOR.columns(SCHEMA, secret="ward")


def test_what_the_officer_names_replaces_what_would_be_found():
    known = NEIGHBOR.columns(
        SCHEMA, given={"age": "num_procedures", "zip": [], "admission": "ward"}
    )
    assert known == ("GENDER", "ward", "num_procedures")
    assert NEIGHBOR.missing(SCHEMA, given={"zip": []}) == ("zip",)


def test_a_preset_without_a_column_says_so_in_one_sentence():
    bare = Schema.from_dict({"columns": [text("x"), text("y")]})
    with pytest.raises(UsageError, match="would know: name one for at least one of: age, sex"):
        NEIGHBOR.columns(bare)
    assert NEIGHBOR.columns(bare, given={"sex": "y"}) == ("y",)
    one = Schema.from_dict({"columns": [text("x")]})
    with pytest.raises(UsageError, match="any column but the secret"):
        REGISTRY_HOLDER.columns(one, secret="x")


def test_what_the_officer_cannot_mean_is_refused():
    with pytest.raises(UsageError, match="knows no 'codes', but: age, sex, zip, admission"):
        NEIGHBOR.columns(SCHEMA, given={"codes": "main"})
    with pytest.raises(UsageError, match="'patient_id', given for the 'age'"):
        NEIGHBOR.columns(SCHEMA, given={"age": "patient_id"})
    with pytest.raises(UsageError, match="nothing in particular"):
        REGISTRY_HOLDER.columns(SCHEMA, given={"age": "main"})


def test_presets_are_found_by_name():
    assert set(PRESETS) == {"neighbor", "insurer", "registry holder"}
    assert all(PRESETS[name].name == name for name in PRESETS)


def test_a_sample_to_compare_with_makes_the_attacker_calibrated():
    model = ThreatModel(
        goal=Goal.IDENTITY,
        generator=GeneratorAccess.CALIBRATED,
        data=DataKnowledge.POPULATION_SAMPLE,
    )
    assert ThreatModel.from_dict(model.to_dict()) == model
    older = {**model.to_dict(), "generator": "NO_BOX"}
    assert ThreatModel.from_dict(older) == model
    with pytest.raises(ValueError, match="records of other people"):
        ThreatModel(
            goal=Goal.IDENTITY, generator=GeneratorAccess.CALIBRATED, data=DataKnowledge.NOTHING
        )
    alone = ThreatModel(
        goal=Goal.LINKAGE, generator=GeneratorAccess.NO_BOX, data=DataKnowledge.NOTHING
    )
    assert alone.generator is GeneratorAccess.NO_BOX


@pytest.mark.parametrize(
    ("key", "words"), [("goal", Goal), ("generator", GeneratorAccess), ("data", DataKnowledge)]
)
def test_the_report_has_words_for_every_answer(key, words):
    assert set(MODEL_WORDS[key]) == {word.name for word in words}
