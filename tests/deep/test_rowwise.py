"""A loss in which rows see each other is refused before any gradient leaves."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from fractions import Fraction

from torch import nn

from dpsynth.privacy.dpsgd.rowwise import made_up_rows, require_rowwise
from dpsynth.privacy.dpsgd.rule import StepRule
from dpsynth.testing.worlds import small_world

SIZES = {"a": 3, "b": 2, "c": 50}
ROWS = made_up_rows(SIZES)


def model(*extra):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), *extra, nn.Linear(8, 1))


def scores(held, rows):
    return held(rows.float())[:, 0]


def test_made_up_rows_hold_valid_codes_and_differ():
    assert ROWS.shape[1] == 3
    assert bool((ROWS >= 0).all())
    assert bool((torch.tensor(list(SIZES.values())) > ROWS).all())
    assert len({tuple(row) for row in ROWS.tolist()}) > 5


def test_a_loss_of_single_rows_is_taken():
    require_rowwise(model(nn.Tanh()), scores, ROWS)
    require_rowwise(model(nn.LayerNorm(8)), scores, ROWS)


@pytest.mark.parametrize(
    ("held", "loss"),
    [
        (model(nn.BatchNorm1d(8, affine=False, track_running_stats=False)), scores),
        (model(nn.Dropout(0.5)), scores),
        (model(), lambda held, rows: scores(held, rows) / len(rows)),
        (model(), lambda held, rows: scores(held, rows) - scores(held, rows).mean()),
        (model(), lambda held, rows: scores(held, rows) * torch.arange(1, len(rows) + 1)),
        (model(), lambda held, rows: scores(held, rows).cumsum(0)),
        (model(), lambda held, rows: scores(held, rows).sum()),
    ],
)
def test_a_loss_in_which_rows_see_each_other_is_refused(held, loss):
    with pytest.raises(ValueError, match="the loss of a row"):
        require_rowwise(held, loss, ROWS)


@pytest.mark.parametrize(
    "mixing",
    [nn.BatchNorm1d(8, affine=False, track_running_stats=False), nn.Dropout(0.5)],
    ids=["norm over the batch", "draws by place"],
)
def test_weights_that_start_at_zero_hide_nothing(mixing):
    """Networks start as the product of their columns: at their first weights all rows are alike."""
    held = model(mixing)
    nn.init.zeros_(held[-1].weight)
    before = [each.clone() for each in held.parameters()]
    with pytest.raises(ValueError, match="the loss of a row"):
        require_rowwise(held, scores, ROWS)
    assert all(torch.equal(*both) for both in zip(held.parameters(), before, strict=True))


def test_a_look_at_other_weights_leaves_the_first_as_they_were():
    held = model(nn.Tanh())
    before = [each.clone() for each in held.parameters()]
    require_rowwise(held, scores, ROWS)
    assert all(torch.equal(*both) for both in zip(held.parameters(), before, strict=True))


def test_the_curator_asks_before_it_releases_anything():
    curator = small_world(rho=Fraction(1))
    rule = StepRule(
        rate=Fraction(1, 2), noise_multiplier=Fraction(50), clip=1.0, steps=2, expected_units=20
    )
    private = curator.train(rule, label="training")
    held = nn.Linear(len(curator.domain.columns), 1)
    with pytest.raises(ValueError, match="the loss of a row"):
        private.release(held, lambda m, rows: m(rows.float())[:, 0] / len(rows))
    assert private.left == 2
    private.release(held, lambda m, rows: m(rows.float())[:, 0])
    assert private.left == 1
