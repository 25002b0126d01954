"""Clipped sums: every engine against a plain loop, for every kind of layer."""

import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install dpsynth[deep]")

from torch import nn

from dpsynth.errors import UnknownNameError
from dpsynth.layers import MaskedLinear
from dpsynth.privacy.dpsgd.engines import BookKeeping, Hooks, PerUnit, Units, engine_of
from dpsynth.privacy.dpsgd.layers import gradients_of

WIDTH, CODES, COLUMNS = 12, 7, 4
CLIPS = [0.1, 1.0, 10.0, 1e6]


def embedded(*layers):
    return nn.Sequential(nn.Embedding(CODES, WIDTH), *layers)


def mask(outputs, inputs):
    return (torch.rand(outputs, inputs) > 0.5).float()


class Block(nn.Module):
    """A block of a transformer: attention over the columns of a row, and a small network."""

    def __init__(self):
        super().__init__()
        self.before, self.after = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.parts, self.joined = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.wide, self.narrow = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, tokens):
        shape = (*tokens.shape[:2], 3, 2, WIDTH // 2)
        query, key, value = self.parts(self.before(tokens)).reshape(shape).permute(2, 0, 3, 1, 4)
        seen = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        tokens = tokens + self.joined(seen.transpose(1, 2).reshape(tokens.shape))
        return tokens + self.narrow(nn.functional.gelu(self.wide(self.after(tokens))))


class Placed(nn.Module):
    """Tokens and their places, each from a table, under two blocks."""

    def __init__(self, head):
        super().__init__()
        self.token, self.place = nn.Embedding(CODES, WIDTH), nn.Embedding(COLUMNS, WIDTH)
        self.blocks = nn.Sequential(Block(), Block())
        self.head = head

    def forward(self, rows):
        places = torch.arange(COLUMNS).expand(rows.shape).contiguous()
        return self.head(self.blocks(self.token(rows) + self.place(places)))


NETS = {
    "transformer": lambda: Placed(nn.Linear(WIDTH, CODES)),
    "transformer, masked": lambda: Placed(MaskedLinear(mask(CODES, WIDTH))),
    "linear": lambda: nn.Sequential(nn.Linear(COLUMNS, 9), nn.ReLU(), nn.Linear(9, COLUMNS)),
    "linear without bias": lambda: nn.Linear(COLUMNS, 9, bias=False),
    "masked": lambda: nn.Sequential(
        MaskedLinear(mask(9, COLUMNS)), nn.Tanh(), MaskedLinear(mask(5, 9), bias=False)
    ),
    "embedding": lambda: embedded(),
    "embedding and linear": lambda: embedded(nn.Linear(WIDTH, 3)),
    "embedding and masked": lambda: embedded(nn.Tanh(), MaskedLinear(mask(5, WIDTH))),
    "norm": lambda: embedded(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 3)),
    "norm without bias": lambda: embedded(nn.LayerNorm(WIDTH, bias=False)),
    "wide": lambda: embedded(nn.Linear(WIDTH, 2), nn.Tanh(), nn.Linear(2, 2)),
}
# opacus fails on a norm without a bias.
FOREIGN = set(NETS) - {
    "masked",
    "embedding and masked",
    "transformer, masked",
    "norm without bias",
}


def build(name, units, slots, seed=0):
    torch.manual_seed(seed)
    net = NETS[name]()
    codes = torch.randint(0, CODES, (units * slots, COLUMNS))
    rows = codes.float() if name in ("linear", "linear without bias", "masked") else codes
    present = torch.rand(units, slots) > 0.3
    return net, Units(rows=rows, present=present)


def loss(model, rows):
    out = model(rows).flatten(1)
    return (torch.sin(3 * out) * torch.arange(1, out.shape[1] + 1)).sum(1) + (out**2).sum(1)


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    size = max(each.abs().max().item() for each in expected.values())
    assert size > 0
    for name, each in expected.items():
        torch.testing.assert_close(found[name], each, rtol=1e-4, atol=2e-5 * size)


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("name", NETS)
def test_book_keeping_is_the_loop(name, slots, clip):
    net, units = build(name, 20, slots)
    expected = PerUnit().clipped_sums(net, loss, units, clip=clip)
    assert_same(BookKeeping().clipped_sums(net, loss, units, clip=clip), expected)


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("name", sorted(FOREIGN))
def test_hooks_of_opacus_are_the_loop(name, slots):
    net, units = build(name, 12, slots)
    expected = PerUnit().clipped_sums(net, loss, units, clip=1.0)
    assert_same(Hooks().clipped_sums(net, loss, units, clip=1.0), expected)
    assert all(each.grad is None for each in net.parameters())


@pytest.mark.parametrize("engine", [BookKeeping(), PerUnit(), Hooks()])
@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
def test_a_person_of_many_rows_adds_no_more_than_the_clip(engine):
    """500 equal rows, whose gradients add up to 500 times one: the sum has the clip's norm."""
    net, _ = build("linear", 1, 1)
    rows = torch.full((500, COLUMNS), 3.0)
    units = Units(rows=rows, present=torch.ones(1, 500, dtype=torch.bool))
    sums = engine.clipped_sums(net, loss, units, clip=0.5)
    norm = sum((each.double() ** 2).sum() for each in sums.values()).sqrt().item()
    assert 0.4999 * 0.9999 <= norm <= 0.5


@pytest.mark.parametrize("clip", [0.01, 1.0])
@pytest.mark.parametrize("name", ["linear", "embedding"])
def test_what_cancels_within_a_unit_is_clipped_all_the_same(name, clip):
    """Rows of a person whose gradients, of length 1e4, cancel but for a small rest.

    Norms are sums of products of all pairs of positions, and rounding swallows the rest: a norm
    that was computed too small would let the person through with more than the clip.
    """
    torch.manual_seed(7)
    present = torch.ones(1, 8, dtype=torch.bool)
    worst = 0.0
    for _ in range(60):
        net = nn.Linear(12, 9, bias=False) if name == "linear" else nn.Embedding(1, 9)
        rows = 1e3 * torch.rand(1, 12).repeat(8, 1) + torch.rand(8, 12)
        rows = rows if name == "linear" else torch.zeros(8, 1, dtype=torch.int64)
        weights = torch.tensor([10.0, -10.0]).repeat(4)[:, None] * torch.rand(1, 9)
        weights = weights * (1 if name == "linear" else 1e3) + 0.5 * torch.rand(8, 9)

        def weighted(model, rows, weights=weights):
            return (model(rows).reshape(8, 9) * weights).sum(1)

        sums = BookKeeping().clipped_sums(
            net, weighted, Units(rows=rows, present=present), clip=clip
        )
        worst = max(worst, sum((x.double() ** 2).sum() for x in sums.values()).sqrt().item())
    assert 0 < worst <= clip * (1 + 1e-6)


def test_what_fills_a_unit_up_adds_nothing_even_where_it_is_not_finite():
    net, _ = build("linear", 1, 1)
    rows = torch.ones(4, COLUMNS)
    present = torch.tensor([[True, False], [True, True]])
    expected = PerUnit().clipped_sums(net, loss, Units(rows=rows, present=present), clip=1.0)
    found = BookKeeping().clipped_sums(net, loss, Units(rows=rows, present=present), clip=1.0)
    assert_same(found, expected)


@pytest.mark.parametrize("engine", [BookKeeping(), PerUnit(), Hooks()])
@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
def test_what_is_not_finite_adds_nothing(engine):
    net, _ = build("linear", 1, 1)
    good = torch.ones(2, COLUMNS)
    bad = torch.full((2, COLUMNS), float("nan"))
    bad[1] = float("inf")
    present = torch.ones(4, 1, dtype=torch.bool)
    mixed = Units(rows=torch.cat([good[:1], bad, good[1:]]), present=present)
    found = engine.clipped_sums(net, loss, mixed, clip=1.0)
    assert_same(
        found, PerUnit().clipped_sums(net, loss, Units(rows=good, present=present[:2]), clip=1.0)
    )


@pytest.mark.parametrize("engine", [BookKeeping(), PerUnit(), Hooks()])
def test_an_empty_batch_sums_to_zero(engine):
    net, _ = build("linear", 1, 1)
    empty = Units(rows=torch.zeros(0, COLUMNS), present=torch.zeros(0, 1, dtype=torch.bool))
    sums = engine.clipped_sums(net, loss, empty, clip=1.0)
    assert {name: each.shape for name, each in sums.items()} == {
        name: each.shape for name, each in net.named_parameters()
    }
    assert not any(each.any() for each in sums.values())


def test_layers_that_are_not_known_are_refused():
    units = Units(rows=torch.zeros(2, 4), present=torch.ones(2, 1, dtype=torch.bool))
    shared = nn.Linear(4, 4)
    frozen = nn.Linear(4, 4)
    frozen.bias.requires_grad_(False)
    refused = {
        "no per-unit gradient is known for the layer '0'": nn.Sequential(nn.Bilinear(4, 4, 4)),
        "'0' mixes rows": nn.Sequential(nn.BatchNorm1d(4, affine=False), nn.Linear(4, 4)),
        "'1' mixes rows": nn.Sequential(nn.Linear(4, 4), nn.InstanceNorm1d(4)),
        "used twice": nn.Sequential(shared, shared),
        "trainable in part": frozen,
    }
    for words, net in refused.items():
        with pytest.raises(TypeError, match=words):
            BookKeeping().clipped_sums(net, loss, units, clip=1.0)
    for engine in (PerUnit(), Hooks()):
        with pytest.raises(TypeError, match="mixes rows"):
            engine.clipped_sums(refused["'0' mixes rows"], loss, units, clip=1.0)
    tied = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    tied[1].weight = tied[0].weight
    with pytest.raises(TypeError, match="share a parameter"):
        BookKeeping().clipped_sums(tied, loss, units, clip=1.0)
    idle = nn.ModuleDict({"used": nn.Linear(4, 2), "idle": nn.Linear(4, 2)})
    with pytest.raises(TypeError, match="'idle' is trainable and took no part"):
        BookKeeping().clipped_sums(idle, lambda m, x: m["used"](x).sum(1), units, clip=1.0)
    with pytest.raises(TypeError, match="plain"):
        BookKeeping().clipped_sums(
            nn.Embedding(4, 2, padding_idx=0),
            loss,
            Units(rows=torch.zeros(2, 3, dtype=torch.int64), present=units.present),
            clip=1.0,
        )


def test_a_layer_that_neither_knows_is_refused():
    units = Units(rows=torch.zeros(2, 4), present=torch.ones(2, 1, dtype=torch.bool))
    with pytest.raises(TypeError, match="no per-unit gradient is known for a layer Bilinear"):
        gradients_of(nn.Bilinear(4, 4, 4), units.rows, units.rows, 2)
    with pytest.raises(TypeError, match="opacus has no rule"):
        Hooks().clipped_sums(Own(), loss, units, clip=1.0)


class Own(nn.Module):
    """A layer with a buffer that opacus refuses."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))
        self.register_buffer("held", torch.ones(4))

    def forward(self, rows):
        return rows * self.weight * self.held


def test_rows_and_slots_must_fit():
    with pytest.raises(ValueError, match="one line for every slot"):
        Units(rows=torch.zeros(3, 4), present=torch.ones(2, 2, dtype=torch.bool))


@pytest.mark.parametrize("clip", [0.0, -1.0, float("nan"), float("inf")])
def test_a_clip_that_clips_nothing_is_refused(clip):
    net, units = build("linear", 3, 1)
    with pytest.raises(ValueError, match="clip must be above 0"):
        BookKeeping().clipped_sums(net, loss, units, clip=clip)


def test_a_loss_of_all_rows_together_is_refused():
    net, units = build("linear", 3, 1)
    with pytest.raises(ValueError, match="one number for every row"):
        BookKeeping().clipped_sums(net, lambda m, x: loss(m, x).mean(), units, clip=1.0)


@pytest.mark.parametrize("kind", ["linear", "masked", "embedding", "norm"])
@pytest.mark.parametrize("size", [1e2, 1e4])
def test_rows_of_a_person_that_nearly_cancel_do_not_pass_with_more_than_the_clip(kind, size):
    """Rounding is in proportion to what cancels, and not to what is left."""
    rows, width = 8, 24
    for seed in range(10):
        drawn = torch.Generator().manual_seed(seed)
        pull = torch.randn(rows, width, generator=drawn) * size
        pull[-1] = torch.randn(width, generator=drawn) * 0.3 - pull[:-1].sum(0)
        given = torch.randn(1, width, generator=drawn).expand(rows, width).contiguous()
        model = {
            "linear": lambda: torch.nn.Linear(width, width),
            "masked": lambda: MaskedLinear(torch.ones(width, width)),
            "embedding": lambda: torch.nn.Embedding(1, width),
            "norm": lambda: torch.nn.LayerNorm(width),
        }[kind]()

        def loss(held, codes, kind=kind, given=given, pull=pull):
            entered = codes * 0 if kind == "embedding" else given[codes]
            return (held(entered) * pull[codes]).sum(-1)

        units = Units(rows=torch.arange(rows), present=torch.ones(1, rows, dtype=torch.bool))
        sums = BookKeeping().clipped_sums(model, loss, units, clip=1.0)
        assert sum((each.double() ** 2).sum() for each in sums.values()) <= 1.0


class Positions(nn.Module):
    """A layer that meets the same input at every position of a row."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.layer = {
            "linear": lambda: nn.Linear(WIDTH, WIDTH),
            "embedding": lambda: nn.Embedding(1, WIDTH),
            "norm": lambda: nn.LayerNorm(WIDTH),
        }[kind]()

    def forward(self, rows):
        codes = rows * 0
        given = torch.linspace(-1, 1, WIDTH).expand(*rows.shape, WIDTH)
        return self.layer(codes if self.kind == "embedding" else given)


@pytest.mark.parametrize("size", [1e2, 1e4, 1e6])
@pytest.mark.parametrize("kind", ["linear", "embedding", "norm"])
@pytest.mark.parametrize("name", ["book_keeping", "hooks", "per_unit"])
@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
def test_positions_that_nearly_cancel_do_not_pass_with_more_than_the_clip(name, kind, size):
    """By every engine that can be had: what is added is what the norm was taken of."""
    places = 8
    for seed in range(5):
        drawn = torch.Generator().manual_seed(seed)
        pull = torch.randn(places, WIDTH, generator=drawn) * size
        pull[-1] = torch.randn(WIDTH, generator=drawn) * 0.3 - pull[:-1].sum(0)
        units = Units(
            rows=torch.zeros(1, places, dtype=torch.int64),
            present=torch.ones(1, 1, dtype=torch.bool),
        )
        sums = engine_of(name).clipped_sums(
            Positions(kind),
            lambda held, rows, pull=pull: (held(rows) * pull).sum((1, 2)),
            units,
            clip=1.0,
        )
        assert sum((each.double() ** 2).sum() for each in sums.values()) <= 1.0


def test_norms_and_sums_of_two_passes_are_not_to_be_had():
    """Ghost clipping let such a unit pass with twelve times the clip."""
    with pytest.raises(UnknownNameError, match="book_keeping, hooks, per_unit"):
        engine_of("ghost")
