"""Distances of tables of columns: by hand on small ones, between ceiling and floor on larger."""

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.errors import DataError, UnknownNameError
from dpsynth.utility.marginals import marginals, total_variation
from dpsynth.utility.scores import Evaluation
from dpsynth.utility.tables import Tables

SCHEMA = dpsynth.Schema.from_dict(
    {"columns": [{"name": name, "kind": "boolean"} for name in ("a", "b", "c")]}
)
ROWS = 3_000


def chain(rows: int, seed: int) -> pd.DataFrame:
    """Each column follows the one before it nine times in ten."""
    rng = np.random.default_rng(seed)
    a = rng.random(rows) < 0.3
    b = a ^ (rng.random(rows) < 0.1)
    return pd.DataFrame({"a": a, "b": b, "c": b ^ (rng.random(rows) < 0.1)})


def found(synthetic: pd.DataFrame, **more: object) -> dict[str, object]:
    section = marginals(Tables.of(synthetic, chain(ROWS, 1), chain(ROWS, 2), SCHEMA), **more)
    return {score.name: score for score in section.scores}


def test_distances_are_those_counted_by_hand():
    real, synthetic = chain(ROWS, 1), chain(ROWS, 0)
    by_hand = [
        abs(
            real.value_counts(list(names), normalize=True).sub(
                synthetic.value_counts(list(names), normalize=True), fill_value=0
            )
        ).sum()
        / 2
        for names in ("ab", "ac", "bc")
    ]
    score = found(synthetic)["mean total variation, pairs of columns"]
    assert score.value == pytest.approx(np.mean(by_hand), abs=1e-12)


def test_total_variation_is_half_the_l1_distance():
    assert total_variation(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1
    assert total_variation(np.array([0.5, 0.5]), np.array([0.25, 0.75])) == 0.25


def test_a_fresh_sample_reads_about_a_third_and_independent_columns_next_to_nothing():
    """A sample of equal size errs by sqrt(2 / n), q of the real rows by sqrt(1 / qn - 1 / n)."""
    score = found(chain(ROWS, 0))["equal to a subsample of the real rows, triples of columns"]
    # Ten fresh seeds gave 0.12 to 0.83: with seven free cells, one table says little.
    assert 0.05 < score.value < 0.95
    assert 0.05 < score.ceiling < 0.95
    assert score.floor < 0.01
    assert score.low <= score.value <= score.high


def test_the_interval_is_as_wide_as_the_figure_varies():
    """A table that differs for certain, drawn anew 30 times against fresh real rows."""

    def flipped(seed: int) -> pd.DataFrame:
        drawn = chain(ROWS, seed)
        return drawn.mask(np.random.default_rng(seed).random(drawn.shape) < 0.4, other=True)

    values, widths = [], []
    for seed in range(30):
        tables = Tables.of(flipped(seed), chain(ROWS, 100 + seed), chain(ROWS, 2), SCHEMA)
        score = marginals(tables, widths=(1,)).scores[0]
        values.append(score.value)
        widths.append((score.high - score.low) / 2 / 1.96)
    # A standard deviation of 30 values errs by 13 %; 40 % off is a 1 in 400 event.
    assert np.mean(widths) == pytest.approx(np.std(values, ddof=1), rel=0.4)


def test_a_table_that_is_too_narrow_for_triples_has_none():
    schema = dpsynth.Schema.from_dict({"columns": [SCHEMA.columns[0].model_dump()]})
    section = marginals(Tables.of(chain(50, 0), chain(50, 1), chain(50, 2), schema))
    assert len(section.scores) == 2
    assert section.tables["worst"][0]["columns"] == ["a"]


def test_an_evaluation_is_a_document_that_reads_back():
    told: list[str] = []
    made = dpsynth.evaluate(
        chain(200, 0), chain(300, 1), chain(100, 2), SCHEMA, seed=5,
        sections=["marginals"], progress=told.append,
    )  # fmt: skip
    assert told == ["coding the tables", "comparing tables of columns"]
    assert made.rows == {"synthetic": 200, "real": 300, "holdout": 100, "floor": 200}
    document = made.to_dict()
    assert document["format"] == "dpsynth-evaluation/1"
    assert "seconds" not in document
    assert Evaluation.from_dict(document).to_dict() == document
    again = dpsynth.evaluate(
        chain(200, 0), chain(300, 1), chain(100, 2), SCHEMA, seed=5, sections=["marginals"]
    )
    assert again.to_dict() == document
    shares = document["sections"][0]["tables"]["columns"][0]
    assert sum(shares["holdout"]) == pytest.approx(1, abs=1e-5)


def test_what_is_no_evaluation_is_refused():
    with pytest.raises(DataError, match="no evaluation"):
        Evaluation.from_dict({"format": "dpsynth-fidelity/1"})
    with pytest.raises(DataError, match="damaged"):
        Evaluation.from_dict({"format": "dpsynth-evaluation/1", "sections": [{}]})
    with pytest.raises(UnknownNameError, match="there are: marginals"):
        dpsynth.evaluate(chain(9, 0), chain(9, 1), chain(9, 2), SCHEMA, sections=["charm"])
