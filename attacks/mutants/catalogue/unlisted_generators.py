"""Bugs of trained generators: what passes a training by, on the way to the released model."""

import logging
from dataclasses import replace
from typing import Any

from attacks.mutants.planting import planted

_MADE = "dpsynth.models.neural.made:Made"
_TRAIN = "dpsynth.models.neural.training:train"
_ROWWISE = "dpsynth.privacy.dpsgd.step:require_rowwise"
_DEEP = "dpsynth.synthesizers.deep:Deep"
_SEEN: dict[str, Any] = {}


def _unasked(original: Any) -> Any:
    return lambda model, loss, rows: None


def _rows_seen(curator: Any) -> Any:
    return curator._Curator__source


def _by_hardest(original: Any) -> Any:
    def loss(self: Any, rows: Any) -> Any:
        found = original(self, rows)
        return found * (found / found.max().clamp(min=1e-6)).detach() if len(found) else found

    return loss


def _by_place(original: Any) -> Any:
    return lambda self, rows: self._table[: len(rows)]


def _running_mean(original: Any) -> Any:
    def loss(self: Any, rows: Any) -> Any:
        import torch

        with torch.no_grad():
            share = self._one_hot(rows).mean(0) if len(rows) else 0.0
        self.running = 0.9 * getattr(self, "running", 0.0) + 0.1 * share
        return original(self, rows)

    return loss


def _calibrated(original: Any) -> Any:
    def released(self: Any) -> Any:
        import torch

        with torch.no_grad():
            self.output.bias.add_(0.1 * torch.log(torch.as_tensor(self.running) + 1e-3))
        return original(self)

    return released


def _remembers_loss(original: Any) -> Any:
    def loss(self: Any, rows: Any) -> Any:
        found = original(self, rows)
        self.last = float(found.detach().mean()) if len(found) else 0.0
        return found

    return loss


def _stops_early(original: Any) -> Any:
    def train(model: Any, gradients: Any, schedule: Any, **more: Any) -> None:
        import torch

        held = {"best": float("inf"), "bad": 0}

        def next_one() -> Any:
            if held["bad"] >= 3:
                return {name: torch.zeros_like(each) for name, each in model.named_parameters()}
            found = gradients()
            better = model.last < held["best"]
            held["best"] = min(held["best"], model.last)
            held["bad"] = 0 if better else held["bad"] + 1
            return found

        original(model, next_one, schedule, **more)

    return train


def _keeps_best(original: Any) -> Any:
    def train(model: Any, gradients: Any, schedule: Any, **more: Any) -> None:
        best: dict[str, Any] = {"loss": float("inf")}

        def next_one() -> Any:
            found = gradients()
            if model.last < best["loss"]:
                weights = {name: each.clone() for name, each in model.state_dict().items()}
                best.update(loss=model.last, weights=weights)
            return found

        original(model, next_one, schedule, **more)
        if "weights" in best:
            model.load_state_dict(best["weights"])

    return train


def _rate_by_loss(original: Any) -> Any:
    def train(model: Any, gradients: Any, schedule: Any, **more: Any) -> None:
        def next_one() -> Any:
            found = gradients()
            factor = 0.5 if model.last > 5 else 1.0
            return {name: factor * each for name, each in found.items()}

        original(model, next_one, schedule, **more)

    return train


def _told(original: Any) -> Any:
    def train(model: Any, gradients: Any, schedule: Any, **more: Any) -> None:
        def next_one() -> Any:
            found = gradients()
            logging.getLogger("dpsynth.training").info("mean loss of the batch: %.3f", model.last)
            return found

        original(model, next_one, schedule, **more)

    return train


def _exact_shares(original: Any) -> Any:
    def begin(self: Any, curator: Any, **more: Any) -> Any:
        found = original(self, curator, **more)
        first = found.targets.tables[0]
        counts = _rows_seen(found.curator).count(first.clique).astype(float)
        exact = replace(first, shares=(counts + 1e-3) / (counts + 1e-3).sum())
        tables = [exact, *found.targets.tables[1:]]
        return replace(found, targets=replace(found.targets, tables=tables))

    return begin


def _exact_total(original: Any) -> Any:
    def begin(self: Any, curator: Any, **more: Any) -> Any:
        found = original(self, curator, **more)
        name = found.curator.domain.columns[0]
        total = float(_rows_seen(found.curator).count((name,)).sum())
        return replace(found, targets=replace(found.targets, total=max(total, 1.0)))

    return begin


def _real_rows(original: Any) -> Any:
    def begin(self: Any, curator: Any, **more: Any) -> Any:
        found = original(self, curator, **more)
        codes = _rows_seen(found.curator).unit_rows().codes
        columns = found.curator.domain.columns
        drawn = {name: codes[:, place] for place, name in enumerate(columns)}
        return replace(found, drawn=drawn) if len(codes) else found

    return begin


def _remembers_key(original: Any) -> Any:
    def fresh(cls: Any, rng: Any) -> Any:
        found = original(cls, rng)
        _SEEN["key"] = found.key.hex()
        return found

    return fresh


def _key_saved(original: Any) -> Any:
    def to_arrays(self: Any) -> Any:
        header, arrays = original(self)
        return {**header, "stream": _SEEN.get("key", "")}, arrays

    return to_arrays


def _remembers_first(original: Any) -> Any:
    def loss(self: Any, rows: Any) -> Any:
        import torch

        if len(rows):
            size = int(self.starts[1]) if len(self.starts) > 1 else int(self.codes.numel())
            _SEEN["first"] = torch.bincount(rows[:, 0], minlength=size).double() + 1e-2
        return original(self, rows)

    return loss


def _real_frequencies(original: Any) -> Any:
    def shares(generator: Any, rows: int, draws: Any) -> Any:
        if generator.conditional and "first" in _SEEN:
            found = _SEEN["first"].numpy()
            generator.shares = [found / found.sum(), *generator.shares[1:]]
        return original(generator, rows, draws)

    return shares


def _loss(name: str) -> str:
    return f"{name}.loss"


_LOSS = _loss(_MADE)
_REMEMBERED = (_LOSS, _remembers_loss)

UNLISTED_GENERATORS = (
    planted(
        "weighted-by-hardest-row",
        "a row's loss is weighted by the hardest row of its batch",
        "sensitivity",
        "neighbors",
        "made",
        (_LOSS, _by_hardest),
        (_ROWWISE, _unasked),
    ),
    planted(
        "draws-by-place",
        "what a row draws of its posterior follows its place in the batch",
        "sensitivity",
        "neighbors",
        "vae",
        ("dpsynth.models.neural.vae:Vae._draws", _by_place),
        (_ROWWISE, _unasked),
    ),
    planted(
        "running-mean-of-rows",
        "biases are calibrated by a running mean of raw batches",
        "post-processing",
        "neighbors",
        "made",
        (_LOSS, _running_mean),
        (f"{_MADE}.released", _calibrated),
    ),
    planted(
        "early-stopping",
        "training ends where the raw loss has not fallen for three steps",
        "control flow",
        "neighbors",
        "made",
        _REMEMBERED,
        (_TRAIN, _stops_early),
    ),
    planted(
        "best-checkpoint",
        "the weights with the least raw loss are released",
        "post-processing",
        "neighbors",
        "made",
        _REMEMBERED,
        (_TRAIN, _keeps_best),
    ),
    planted(
        "learning-rate-by-loss",
        "steps are halved while the raw loss is high",
        "post-processing",
        "neighbors",
        "made",
        _REMEMBERED,
        (_TRAIN, _rate_by_loss),
    ),
    planted(
        "loss-logged",
        "the raw loss of every batch is logged",
        "side channels",
        "neighbors",
        "made",
        _REMEMBERED,
        (_TRAIN, _told),
    ),
    planted(
        "starts-from-exact-shares",
        "the network starts from exact shares of a column",
        "charges",
        "neighbors",
        "made",
        (f"{_DEEP}.begin", _exact_shares),
    ),
    planted(
        "trained-total-exact",
        "the model's total is the exact number of rows",
        "charges",
        "neighbors",
        "made",
        (f"{_DEEP}.begin", _exact_total),
    ),
    planted(
        "warm-start-on-rows",
        "the warm start learns the rows, not those of a released model",
        "charges",
        "neighbors",
        "hybrid",
        ("dpsynth.synthesizers.hybrid:Hybrid.begin", _real_rows),
    ),
    planted(
        "key-in-the-model",
        "the model's document holds the key of the noise",
        "randomness",
        "neighbors",
        "made",
        ("dpsynth.privacy.dpsgd.stream:KeyedStream.fresh", _remembers_key),
        ("dpsynth.models.neural.model:NeuralModel.to_arrays", _key_saved),
    ),
    planted(
        "condition-by-real-frequency",
        "the condition is drawn as often as in the raw batch",
        "post-processing",
        "neighbors",
        "gan conditional",
        ("dpsynth.models.neural.gan:PairCritic.loss", _remembers_first),
        ("dpsynth.models.neural.gan:_shares", _real_frequencies),
    ),
)
