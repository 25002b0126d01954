"""Worlds whose mechanisms see their own rows and release the same: what passes noise is seen."""

import dataclasses

import pytest

import dpsynth
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.mechanisms import DiscreteGaussian
from dpsynth.synthesizers import mst
from dpsynth.synthesizers.facade import Synthesizer
from dpsynth.testing.sealed import sealed

SCHEMA = dpsynth.Schema.from_dict(
    {
        "columns": [
            {"name": "age", "kind": "integer", "bounds": [0, 99], "bins": 10},
            {"name": "sex", "kind": "categorical", "values": ["m", "f"]},
            {"name": "town", "kind": "categorical", "open": True},
        ]
    }
)


def told_apart(name="mst", *, schema=SCHEMA, epsilon="2000"):
    synthesizer = dpsynth.synthesizer(name)
    plan = synthesizer.plan(schema, epsilon=epsilon, delta="1e-9")
    worlds = sealed(synthesizer, schema, plan, seed=0, drawn=3)
    assert len(worlds) > 3
    return [each for each in worlds if each.diverged or each.unlike or not each.same_model]


@pytest.mark.parametrize("name", ["mst", "aim", "auto", "privbayes"])
def test_a_right_synthesizer_is_told_nothing_but_answers(name):
    assert not told_apart(name)


def test_what_is_kept_beside_a_noisy_answer_is_seen(monkeypatch):
    kept = {}
    right, table_of = DiscreteGaussian.release, mst.as_table

    def release(self, counts, *, rng):
        answer = right(self, counts, rng=rng)
        kept[id(answer)] = answer, counts
        return answer

    def as_table(measurement):
        table = table_of(measurement)
        exact = kept[id(measurement.values)][1].reshape(table.values.shape)
        return dataclasses.replace(table, values=table.values + exact)

    monkeypatch.setattr(DiscreteGaussian, "release", release)
    monkeypatch.setattr(mst, "as_table", as_table)
    assert told_apart()


def test_questions_that_follow_the_rows_are_seen(monkeypatch):
    right = mst._choose

    def choose(curator, histograms, columns, mechanism):
        pairs = right(curator, histograms, columns, mechanism)
        rows = int(curator._Curator__source.count(columns[:1]).sum())
        return pairs if rows % 2 else pairs[::-1]

    monkeypatch.setattr(mst, "_choose", choose)
    assert any(each.diverged for each in told_apart())


@pytest.mark.parametrize("places", [0, -1, -2], ids=["ones", "tens", "hundreds"])
def test_a_number_of_rows_is_seen_however_it_is_rounded(places, monkeypatch):
    right = Synthesizer.fit_prepared

    def fit_prepared(self, prepared, **options):
        model = right(self, prepared, **options)
        rows = float(max(round(len(prepared.members), places), 100))
        return dataclasses.replace(model, model=dataclasses.replace(model.model, total=rows))

    monkeypatch.setattr(Synthesizer, "fit_prepared", fit_prepared)
    assert any("ordinary rows" in each.world for each in told_apart())


def test_a_thin_table_that_is_asked_less_is_seen(monkeypatch):
    right = Curator.measure

    def measure(self, queries, mechanism, *, labels=None):
        source = self._Curator__source
        asked = [q for q in queries if len(q.clique) == 1 or source.count(q.clique).max() > 4]
        return right(self, asked, mechanism) if asked else ()

    monkeypatch.setattr(Curator, "measure", measure)
    assert any(each.diverged and "4 ordinary rows" in each.world for each in told_apart())
