"""Training through the curator: what is charged, when rows are read, and how it goes on."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install dpsynth[deep]")

from torch import nn

from dpsynth.domain import Domain, NeighboringRelation, PrivacyUnit
from dpsynth.errors import BudgetExceededError, IntegrityError, UnknownNameError, UsageError
from dpsynth.models.neural.training import Schedule, train
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.dpsgd.checkpoint import Checkpoint
from dpsynth.privacy.dpsgd.rule import StepRule
from dpsynth.privacy.ledger import Ledger
from dpsynth.privacy.randomness import SeededRandom
from dpsynth.sources.frame import FrameSource
from dpsynth.testing.worlds import GeneratedSource, UnreadableSource, chain_codes

DOMAIN = Domain(sizes={"age": 8, "sex": 2, "ward": 5})
ROWS = 120


def rule(**changed):
    return StepRule(
        **{
            "rate": Fraction(1, 4),
            "noise_multiplier": Fraction(2),
            "clip": 0.5,
            "steps": 6,
            "expected_units": 100,
            **changed,
        }
    )


def curator(source=None, *, unit=None, pays=rule(), ledger=None, seed=1):  # noqa: B008
    unit = unit or PrivacyUnit()
    ledger = ledger or Ledger.in_memory(cap_epsilon=20, cap_delta=Fraction(1, 10**6))
    return Curator(
        source or GeneratedSource(chain_codes(DOMAIN, rows=ROWS, seed=0), DOMAIN),
        unit=unit,
        account=ledger.open_release(rho=Fraction(0), trained=[pays.event(unit)], seeded=True),
        rng=SeededRandom(seed),
    )


def network():
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def loss(model, rows):
    return torch.sin(model(rows.float())).sum(1)


def flat(found):
    return torch.cat([each.flatten() for each in found.values()]).tolist()


def test_all_steps_are_charged_before_a_row_is_read():
    held = curator(UnreadableSource({}, DOMAIN))
    with pytest.raises(AssertionError, match="rows were read"):
        held.train(rule(), label="training")
    assert [entry.event for entry in held.account.entries] == [rule().event(PrivacyUnit())]
    assert held.account.entries[0].label == "training"
    assert held.account.left == 0


def test_what_cannot_be_paid_reads_nothing():
    held = curator(UnreadableSource({}, DOMAIN))
    with pytest.raises(BudgetExceededError):
        held.train(rule(steps=7), label="training")
    assert not held.account.entries


def test_steps_are_charged_whether_they_are_used_or_not():
    held = curator()
    held.train(rule(), label="training").release(network(), loss)
    assert len(held.account.entries) == 1


@pytest.mark.parametrize("handed", ["sampler", "batch_sampler", "shuffle", "weights", "loader"])
def test_nobody_hands_in_a_sampler(handed):
    """No weighted, shuffled or foreign batches: the law of batches is the one that is paid for."""
    held = curator()
    with pytest.raises(TypeError, match=handed):
        held.train(rule(), label="training", **{handed: [0, 1, 2]})
    assert not held.account.entries
    with pytest.raises(TypeError):
        held.train(rule(), label="training").release(network(), loss, torch.zeros(4, 3))


def test_only_our_engines_clip():
    held = curator()
    with pytest.raises(UnknownNameError, match="book_keeping, hooks, per_unit"):
        held.train(rule(), label="training", engine="mine")
    with pytest.raises(UnknownNameError):
        held.train(rule(), label="training", engine=object())
    with pytest.raises(ValueError, match="most_rows"):
        held.train(rule(), label="training", most_rows=0)
    assert not held.account.entries


@pytest.mark.parametrize("engine", ["book_keeping", "hooks", "per_unit"])
@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
def test_every_engine_releases_the_same(engine):
    pytest.importorskip("opacus")
    expected = flat(curator().train(rule(), label="training").release(network(), loss))
    held = curator().train(rule(), label="training", engine=engine, most_rows=7)
    np.testing.assert_allclose(flat(held.release(network(), loss)), expected, atol=1e-6)


def test_neighbors_of_another_kind_are_refused():
    unit = PrivacyUnit(neighboring=NeighboringRelation.REPLACE)
    with pytest.raises(ValueError, match="add_or_remove alone"):
        rule().event(unit)


def test_rows_of_a_person_are_clipped_together_after_bounding_and_regrouping():
    """A person's rows keep their person when codes change; persons are numbered without a gap."""
    codes = {"a": np.array([0, 1, 2, 0, 1]), "b": np.array([0, 0, 1, 1, 1])}
    domain = Domain(sizes={"a": 3, "b": 2})
    source = FrameSource(codes, domain, units=np.array([7, 3, 7, 9, 3]))
    for each in (source, source.coarsened({"a": np.array([0, 0, 1])}), source.closed({}, domain)):
        rows = each.unit_rows()
        assert rows.units.tolist() == [1, 0, 1, 2, 0]
        assert rows.codes.shape == (5, 2)
        assert rows.codes.dtype == np.uint8  # as narrow as the codes are held
        assert "[" not in repr(rows)
    assert source.coarsened({"a": np.array([0, 0, 1])}).unit_rows().codes[:, 0].tolist() == [
        0, 0, 1, 0, 0,
    ]  # fmt: skip
    alone = FrameSource(codes, domain).unit_rows()
    assert alone.units.tolist() == [0, 1, 2, 3, 4]


class _Repeated(GeneratedSource):
    """One person holds all rows."""

    def unit_rows(self):
        rows = super().unit_rows()
        return type(rows)(codes=rows.codes, units=np.zeros(len(rows.codes), dtype=np.int64))


def test_a_source_that_forgot_to_bound_is_refused():
    held = curator(_Repeated(chain_codes(DOMAIN, rows=3, seed=0), DOMAIN))
    with pytest.raises(ValueError, match="at most max_rows rows"):
        held.train(rule(), label="training")


class Interrupted:
    """A training with Adam, stopped after some steps and gone on with by what was saved."""

    def __init__(self, gradients):
        self.gradients = gradients
        self.net = network()
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.5)
        if gradients.kept:
            self.net.load_state_dict(gradients.kept)
        self.seen = []

    def steps(self, count):
        for _ in range(count):
            found = self.gradients.release(self.net, loss)
            self.seen.append(flat(found))
            for name, each in self.net.named_parameters():
                each.grad = found[name]
            self.optimizer.step()
        return self.seen


def uninterrupted():
    return Interrupted(curator().train(rule(), label="training")).steps(6)


@pytest.mark.parametrize("on_disk", [True, False])
def test_a_training_goes_on_with_the_same_batches_and_noise(tmp_path, on_disk):
    """Stopped after step 4, with a checkpoint of step 3: step 4 comes out the same once more."""
    path, key = tmp_path / "training", tmp_path / "training.key" if on_disk else None
    checkpoint = Checkpoint(path, key_file=key)
    held = curator()
    first = Interrupted(held.train(rule(), label="training", checkpoint=checkpoint))
    first.steps(3)
    first.gradients.save(first.net, first.net.state_dict())
    first.steps(1)
    again = Checkpoint(path, key_file=key) if on_disk else checkpoint
    second = Interrupted(held.train(rule(), label="training", checkpoint=again))
    assert second.gradients.used == 3
    assert second.gradients.left == 3
    second.steps(3)
    assert first.seen[:3] + second.seen == uninterrupted()
    assert first.seen[3] == second.seen[0]
    assert len(held.account.entries) == 1, "the training was charged once"
    assert not list(tmp_path.iterdir()), "key and state are gone after the last step"
    with pytest.raises(ValueError, match="every step"):
        second.steps(1)


def test_a_release_goes_on_after_a_crash(tmp_path):
    """Another process opens the ledger: the charge is there, and no other can be made."""
    path = tmp_path / "people.ledger"
    held = curator(ledger=Ledger.create(path, cap_epsilon=20, cap_delta=Fraction(1, 10**6)))
    checkpoint = Checkpoint(tmp_path / "state", key_file=tmp_path / "state.key")
    first = Interrupted(held.train(rule(), label="training", checkpoint=checkpoint))
    first.steps(2)
    first.gradients.save(first.net, first.net.state_dict())
    release = held.account.release
    ledger = Ledger.open(path)
    resumed = Curator(
        GeneratedSource(chain_codes(DOMAIN, rows=ROWS, seed=0), DOMAIN),
        unit=PrivacyUnit(),
        account=ledger.reopen_release(release),
        rng=SeededRandom(99),
    )
    again = Checkpoint(tmp_path / "state", key_file=tmp_path / "state.key")
    second = Interrupted(resumed.train(rule(), label="training", checkpoint=again))
    second.steps(4)
    assert first.seen + second.seen == uninterrupted()
    assert len(ledger.entries()) == 1
    with pytest.raises(BudgetExceededError):
        resumed.train(rule(), label="another")
    with pytest.raises(UsageError, match="holds no charge of the release 'none'"):
        ledger.reopen_release("none")


def test_a_network_comes_out_the_same_after_an_interruption(tmp_path):
    """With Adam and the average of weights: what leaves is equal bit for bit."""
    schedule = Schedule(steps=6, rate=0.1, warm_up=2)
    whole = network()
    gradients = curator().train(rule(), label="training")
    train(whole, lambda: gradients.release(whole, loss), schedule)
    held, checkpoint = curator(), Checkpoint(tmp_path / "state")
    stopped = network()
    first = held.train(rule(), label="training", checkpoint=checkpoint)

    def interrupted():
        if first.used == 4:
            raise KeyboardInterrupt
        return first.release(stopped, loss)

    with pytest.raises(KeyboardInterrupt):
        train(stopped, interrupted, schedule, save=lambda kept: first.save(stopped, kept))
    again = network()
    second = held.train(rule(), label="training", checkpoint=checkpoint)
    train(
        again,
        lambda: second.release(again, loss),
        schedule,
        begun=second.kept,
        save=lambda kept: second.save(again, kept),
    )
    assert all(
        torch.equal(each, other)
        for each, other in zip(whole.parameters(), again.parameters(), strict=True)
    )
    assert not list(tmp_path.iterdir())
    assert len(held.account.entries) == 1


def saved(tmp_path, steps=2):
    checkpoint = Checkpoint(tmp_path / "state", key_file=tmp_path / "state.key")
    held = curator()
    training = Interrupted(held.train(rule(), label="training", checkpoint=checkpoint))
    training.steps(steps)
    training.gradients.save(training.net, training.net.state_dict())
    return held, checkpoint


def test_a_checkpoint_is_for_one_training_alone(tmp_path):
    held, checkpoint = saved(tmp_path)
    with pytest.raises(IntegrityError, match="another training"):
        held.train(rule(steps=5), label="training", checkpoint=checkpoint)
    with pytest.raises(IntegrityError, match="another training"):
        held.train(rule(), label="renamed", checkpoint=checkpoint)
    with pytest.raises(IntegrityError, match="another rule"):
        held.train(replace(rule(), clip=2.0), label="training", checkpoint=checkpoint)
    other = curator()
    with pytest.raises(IntegrityError, match="another training"):
        other.train(rule(), label="training", checkpoint=checkpoint)
    assert not other.account.entries
    rows = GeneratedSource(chain_codes(DOMAIN, rows=ROWS, seed=1), DOMAIN)
    swapped = Curator(rows, unit=held.unit, account=held.account, rng=SeededRandom(1))
    with pytest.raises(IntegrityError, match="another table"):
        swapped.train(rule(), label="training", checkpoint=checkpoint)
    with pytest.raises(UsageError, match="several processes"):
        held.train(rule(), label="training", checkpoint=checkpoint, processes=object())


def test_a_training_goes_on_from_its_own_weights_alone(tmp_path):
    """The same noise on the gradients of other weights would cancel: it is never drawn for them."""
    held, checkpoint = saved(tmp_path)
    gradients = held.train(rule(), label="training", checkpoint=checkpoint)
    with pytest.raises(ValueError, match="weights of its checkpoint"):
        gradients.release(network(), loss)


def test_a_checkpoint_is_encrypted_and_its_owners_alone(tmp_path):
    _, checkpoint = saved(tmp_path)
    path, key = tmp_path / "state", tmp_path / "state.key"
    assert [each.stat().st_mode & 0o777 for each in (path, key)] == [0o600, 0o600]
    assert key.stat().st_size == 32
    state, _ = checkpoint.read()
    content = path.read_bytes()
    assert bytes.fromhex(state["key"]) not in content
    assert b"weights" not in content
    assert repr(checkpoint) == "Checkpoint('state')"
    for changed in (content[:-1] + bytes([content[-1] ^ 1]), b"", content[:20]):
        path.write_bytes(changed)
        with pytest.raises(IntegrityError, match="was changed, or sealed with another key"):
            checkpoint.read()
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match="another key"):
        Checkpoint(path).read()
    key.chmod(0o640)
    with pytest.raises(IntegrityError, match="chmod 600"):
        Checkpoint(path, key_file=key)


def test_nothing_is_saved_without_a_checkpoint_or_after_the_end(tmp_path):
    training = Interrupted(curator().train(rule(), label="training"))
    with pytest.raises(ValueError, match="checkpoint and steps left"):
        training.gradients.save(training.net, {})
    checkpoint = Checkpoint(tmp_path / "state")
    training = Interrupted(curator().train(rule(), label="training", checkpoint=checkpoint))
    training.steps(6)
    with pytest.raises(ValueError, match="checkpoint and steps left"):
        training.gradients.save(training.net, {})
