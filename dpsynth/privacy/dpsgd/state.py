"""What a training needs to go on: which charge paid for it, its key, and where it stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
import torch
from torch import Tensor, nn

from dpsynth.privacy.dpsgd.checkpoint import Checkpoint
from dpsynth.privacy.source import UnitRows

_AT_ONCE = 1 << 18  # rows


@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """Everything that a checkpoint holds; secret.

    Attributes:
        paid: digest of the ledger entry that pays for all steps.
        key: of batches and noise.
        rows: digest of the rows.
        rule: the public numbers, as text: the same noise must not meet another clip.
        used: steps that were released.
        weights: digest of the weights that the next step starts from.
        kept: what the caller needs to go on, by name.
    """

    paid: str
    key: bytes = field(repr=False)
    rows: str
    rule: str
    used: int
    weights: str
    kept: Mapping[str, Tensor] = field(repr=False)

    def write(self, checkpoint: Checkpoint) -> None:
        """Replace the state that ``checkpoint`` holds."""
        header = {
            "paid": self.paid,
            "key": self.key.hex(),
            "rows": self.rows,
            "rule": self.rule,
            "used": self.used,
            "weights": self.weights,
        }
        arrays = {name: each.detach().numpy() for name, each in self.kept.items()}
        checkpoint.write(header, arrays)

    @classmethod
    def read(cls, checkpoint: Checkpoint) -> "State":
        """Return the state that ``checkpoint`` holds."""
        header, arrays = checkpoint.read()
        kept = {name: torch.from_numpy(each) for name, each in arrays.items()}
        return cls(**{**header, "key": bytes.fromhex(header["key"])}, kept=kept)


def digest_of_rows(rows: UnitRows) -> str:
    """Digest rows and units, in their order; secret, as they are."""
    digest = blake2b(digest_size=32)
    for held in (rows.codes, rows.units):
        for start in range(0, len(held), _AT_ONCE):  # codes may be narrow, or on disk
            digest.update(held[start : start + _AT_ONCE].astype(np.int64).tobytes())
    return digest.hexdigest()


def digest_of_weights(model: nn.Module) -> str:
    """Digest all parameters of a model, in their order."""
    digest = blake2b(digest_size=32)
    for each in model.parameters():
        digest.update(each.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()
