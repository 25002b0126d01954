"""Where random words and keys come from."""

import os
import platform
from typing import Any, ClassVar

import numpy as np

from attacks.mutants.base import Mutant
from attacks.mutants.planting import planted

_WORDS = "dpsynth.privacy.randomness:PrivacyRandom.words"


def _key_constant(original: Any) -> Any:
    def keyed(self: Any, purpose: str) -> bytes:
        del self
        return purpose.encode().ljust(32, b"\0")[:32]

    del original
    return keyed


def _key_for_all(original: Any) -> Any:
    def keyed(self: Any, purpose: str) -> bytes:
        del purpose
        found: bytes = original(self, "")
        return found

    return keyed


def _buffered(original: Any) -> Any:
    class Buffer:
        held: ClassVar[Any] = np.empty(0, dtype=np.uint64)

    def words(self: Any, count: int) -> Any:
        while Buffer.held.size < count:
            Buffer.held = np.concatenate([Buffer.held, original(self, 1 << 16)])
        found, Buffer.held = Buffer.held[:count], Buffer.held[count:]
        return found

    return words


def _half_words(original: Any) -> Any:
    def words(self: Any, count: int) -> Any:
        halves = original(self, count) >> np.uint64(32)
        return halves | halves << np.uint64(32)

    return words


def _machine(original: Any) -> Any:
    del original
    held: list[Any] = []

    def words(self: Any, count: int) -> Any:
        del self
        if not held:
            held.append(np.random.default_rng(list(platform.node().encode())))
        return held[0].integers(0, 2**64, count, dtype=np.uint64)

    return words


def _weak_seed(original: Any) -> Any:
    del original
    held: list[Any] = []

    def words(self: Any, count: int) -> Any:
        del self
        if not held:
            held.append(np.random.default_rng(int.from_bytes(os.urandom(4), "little")))
        return held[0].integers(0, 2**64, count, dtype=np.uint64)

    return words


UNLISTED_WORDS: tuple[Mutant, ...] = (
    planted(
        "key-of-all-tables",
        "The secret key of every table is the same.",
        "randomness",
        "ledger",
        "mst",
        ("dpsynth.privacy.ledger:Ledger.keyed", _key_constant),
    ),
    planted(
        "key-of-all-purposes",
        "One subkey serves persons, rows and coins.",
        "randomness",
        "ledger",
        "mst",
        ("dpsynth.privacy.ledger:Ledger.keyed", _key_for_all),
    ),
    planted(
        "words-buffered-over-forks",
        "Words are read ahead, and a fork has the same ones.",
        "randomness",
        "randomness",
        "mst",
        (_WORDS, _buffered),
    ),
    planted(
        "words-of-32-bits",
        "The halves of a word are equal.",
        "randomness",
        "randomness",
        "mst",
        (_WORDS, _half_words),
    ),
    planted(
        "words-from-the-machine",
        "Words follow from the machine's name.",
        "randomness",
        "randomness",
        "mst",
        (_WORDS, _machine),
    ),
    planted(
        "words-from-a-weak-seed",
        "Words follow from 32 bits that are read once.",
        "randomness",
        "randomness",
        "mst",
        (_WORDS, _weak_seed),
    ),
)
