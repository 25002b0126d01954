"""The two sources of random words are told apart, and neither repeats itself."""

import multiprocessing
import os

import numpy as np
import pytest

from dpsynth.errors import UnfitEnvironmentError
from dpsynth.privacy import randomness
from dpsynth.privacy.randomness import PrivacyRandom, SeededRandom


def test_the_types_are_distinct():
    assert not issubclass(SeededRandom, PrivacyRandom)
    assert not issubclass(PrivacyRandom, SeededRandom)
    assert PrivacyRandom().seeded is False
    assert SeededRandom(1).seeded is True


def test_the_real_source_takes_no_seed():
    with pytest.raises(TypeError):
        PrivacyRandom(7)


@pytest.mark.parametrize("source", [PrivacyRandom(), SeededRandom(3)])
def test_words_have_shape_type_and_all_bits(source):
    words = source.words(1000)
    assert words.dtype == np.uint64
    assert words.shape == (1000,)
    assert source.words(0).shape == (0,)
    # A bit that never changes in 1000 words: 128 * 2**-1000 by chance.
    assert np.bitwise_or.reduce(words) == 2**64 - 1
    assert np.bitwise_and.reduce(words) == 0
    assert np.unique(np.concatenate([words, source.words(1000)])).size == 2000


@pytest.mark.parametrize("source", [PrivacyRandom(), SeededRandom(5)])
def test_every_bit_is_fair(source):
    bits = np.unpackbits(source.words(20_000).view(np.uint8)).reshape(20_000, 64)
    counts = bits.sum(axis=0, dtype=np.int64)
    # 7 standard errors: 64 positions, 2e-10 in all by chance.
    assert np.abs(counts - 10_000).max() < 7 * np.sqrt(20_000) / 2


def test_the_real_source_keeps_nothing_between_calls(monkeypatch):
    asked = []

    def recording(size):
        asked.append(size)
        return bytes([len(asked)]) * size

    source = PrivacyRandom()
    monkeypatch.setattr(os, "urandom", recording)
    assert source.words(3).tolist() == [0x0101010101010101] * 3
    assert source.words(1).tolist() == [0x0202020202020202]
    assert asked == [24, 8]
    assert not vars(source)


def test_a_constant_source_is_refused(monkeypatch):
    monkeypatch.setattr(randomness.os, "urandom", bytes)
    with pytest.raises(UnfitEnvironmentError, match="no noise was drawn"):
        PrivacyRandom()


def test_a_seed_gives_the_same_words_everywhere():
    assert SeededRandom(11).words(3).tolist() == SeededRandom(11).words(3).tolist()
    assert SeededRandom(11).words(3).tolist() != SeededRandom(12).words(3).tolist()
    first = SeededRandom(0).words(2).tolist()
    assert first == [259491006799949737, 4754966410622352325]


@pytest.mark.parametrize("seed", [1.0, None, True])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(TypeError, match="seed"):
        SeededRandom(seed)


def _send_words(source, pipe):
    pipe.send(source.words(4).tolist())
    pipe.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forked_children_share_no_words():
    source = PrivacyRandom()
    source.words(100)
    context = multiprocessing.get_context("fork")
    seen = [source.words(4).tolist()]
    for _ in range(4):
        ours, theirs = context.Pipe(duplex=False)
        child = context.Process(target=_send_words, args=(source, theirs))
        child.start()
        seen.append(ours.recv())
        child.join()
    assert len({word for words in seen for word in words}) == 20
