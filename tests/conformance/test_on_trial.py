"""Every registered synthesizer is put on trial, and nobody has to add a line for it.

False alarms: those of the audits, one in a million each; the replay has none.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

import dpsynth
from attacks.conformance import audits
from attacks.conformance.trial import Trial
from dpsynth.synthesizers import registry
from dpsynth.testing.enrolled import enrolled

ALL = {each.name: each for each in enrolled()}
AUDITS = ("bill", "neighbors", "law", "released")


def alarms(each):
    """Put one on trial; whoever trains, with few fits."""
    trial = Trial(
        synthesizer=each.synthesizer,
        schema=each.schema,
        epsilon=each.epsilon,
        delta=each.delta,
        fits=4 if each.trains else 20,
        pairs=0 if each.trains else 4,
    )
    found = audits.run(trial, names=AUDITS)
    assert [(one.audit, one.error) for one in found if one.error] == []
    return [alarm for one in found for alarm in one.alarms]


@pytest.mark.parametrize("name", sorted(ALL))
def test_what_is_registered_passes_its_trial(name):
    if ALL[name].trains:
        pytest.importorskip("torch", reason="training needs torch: pip install 'dpsynth[deep]'")
    assert alarms(ALL[name]) == []


def test_whatever_is_registered_is_on_trial():
    assert set(ALL) == set(registry.BUILT_IN)


@dataclass(frozen=True, kw_only=True)
class Suppressing(dpsynth.Independent):
    """Leaves out a column, in secret, where a table has few rows."""

    name: ClassVar[str] = "suppressing"

    def learn(self, curator, *, rho, **planned):
        source = curator._Curator__source._source
        learned = super().learn(curator, rho=rho, **planned)
        if source.count((curator.domain.columns[0],)).sum() > 12:
            return learned
        return replace(learned, model=replace(learned.model, total=learned.model.total + 1))


@dataclass(frozen=True, kw_only=True)
class Bare(dpsynth.Independent):
    """Releases what it counts."""

    name: ClassVar[str] = "bare"

    def learn(self, curator, *, rho, **planned):
        source = curator._Curator__source
        learned = super().learn(curator, rho=rho, **planned)
        exact = float(source.count((curator.domain.columns[0],)).sum())
        return replace(learned, model=replace(learned.model, total=max(exact, 1.0)))


@pytest.mark.parametrize("leaky", [Suppressing, Bare])
def test_a_leak_in_a_newcomer_is_found_by_its_registration_alone(monkeypatch, leaky):
    monkeypatch.setitem(registry.BUILT_IN, leaky.name, f"{leaky.__module__}:{leaky.__name__}")
    newcomers = [each for each in enrolled() if each.name not in ALL]
    assert [each.name for each in newcomers] == [leaky.name]
    assert alarms(newcomers[0])
