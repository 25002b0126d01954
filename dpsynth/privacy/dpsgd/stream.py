"""Random words of a training: a stream cipher, keyed once from the kernel's random source.

A step takes a word for every unit and one for every weight, more than is quickly had from the
operating system. AES-256 in counter mode makes them of a key of 256 bits that it gave: whoever
tells them from independent words breaks the cipher. Every purpose and step has words of its own,
so that they do not depend on how many others were drawn, and a training that is resumed meets the
same ones again.
"""

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

from dpsynth.privacy.randomness import RandomSource

BATCH, NOISE = 1, 2  # purposes
KEY_BYTES = 32


class KeyedStream:
    """Independent 64-bit words by purpose and step.

    Args:
        key: secret, 32 bytes; two trainings never share one.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"key must have {KEY_BYTES} bytes")
        self.key = key

    @classmethod
    def fresh(cls, rng: RandomSource) -> "KeyedStream":
        """Return a stream whose key is the next 256 bits of ``rng``."""
        return cls(rng.words(KEY_BYTES // 8).tobytes())

    def words(self, count: int, *, purpose: int, step: int, start: int = 0) -> NDArray[np.uint64]:
        """Return ``count`` words of a purpose and step, shape ``(count,)``.

        Args:
            count: below 2**60, so that no two streams meet.
            purpose: 0 to 255.
            step: 0 to 2**56 - 1.
            start: how many words come before these, even: a block of the cipher makes two.
        """
        block = (start // 2).to_bytes(8, "big")
        first = purpose.to_bytes(1, "big") + step.to_bytes(7, "big") + block
        encryptor = Cipher(algorithms.AES256(self.key), modes.CTR(first)).encryptor()
        made = bytearray(8 * count + 15)  # a block more than is needed, as the cipher demands
        encryptor.update_into(bytes(8 * count), made)
        return np.frombuffer(made, dtype=np.uint64, count=count)

    def __repr__(self) -> str:
        return "KeyedStream()"
