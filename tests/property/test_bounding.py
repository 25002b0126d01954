"""Adding a person brings that person's rows and moves nobody else's."""

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dpsynth.privacy.bounding import bound_rows, content_digests, control_coin, person_digests

KEY = b"k" * 32
rows = st.tuples(st.integers(0, 2), st.integers(0, 1))
people = st.lists(st.tuples(st.sampled_from(["ann", "bob", "cy", None]), rows), max_size=20)
bounds = st.integers(1, 4)


def kept(table, max_rows, key=KEY):
    """The multiset of (person, row) that is counted, by the steps of a real run."""
    names = [name for name, _ in table]
    numbers = {name: at for at, name in enumerate(dict.fromkeys(filter(None, names)))}
    persons = np.array([numbers.get(name, -1) for name in names], dtype=np.int64)
    ids = person_digests([(name or "").encode() for name in names], key=key)
    content = np.array([row for _, row in table], dtype=np.uint64).reshape(-1, 2)
    digests = content_digests(np.column_stack([ids, content]), key=key)
    mask = bound_rows(digests, persons, max_rows=max_rows)
    return Counter(entry for entry, chosen in zip(table, mask, strict=True) if chosen)


def inserted(table, extra, places):
    """``table`` with the extra rows anywhere between the others."""
    mixed = list(table)
    for entry, place in zip(extra, places, strict=True):
        mixed.insert(place % (len(mixed) + 1), entry)
    return mixed


@settings(deadline=None)
@given(
    table=people,
    theirs=st.lists(st.tuples(rows, st.integers(0, 99)), min_size=1, max_size=8),
    max_rows=bounds,
)
def test_a_new_person_moves_nobody_and_brings_at_most_the_bound(table, theirs, max_rows):
    extra = [("dee", row) for row, _ in theirs]
    before = kept(table, max_rows)
    after = kept(inserted(table, extra, [place for _, place in theirs]), max_rows)
    assert {name for name, _ in before - after} == set()
    brought = after - before
    assert {name for name, _ in brought} == {"dee"}
    assert brought.total() == min(len(theirs), max_rows)


@settings(deadline=None)
@given(table=people, max_rows=bounds)
def test_nobody_passes_the_bound_and_nobody_is_cut_below_it(table, max_rows):
    counted = Counter(name for name, _ in kept(table, max_rows).elements())
    held = Counter(name for name, _ in table if name)
    assert counted == {name: min(rows, max_rows) for name, rows in held.items()}


@settings(deadline=None)
@given(table=people, max_rows=bounds, data=st.data())
def test_the_order_of_the_rows_does_not_matter(table, max_rows, data):
    shuffled = data.draw(st.permutations(table))
    assert kept(shuffled, max_rows) == kept(table, max_rows)


@settings(deadline=None)
@given(table=st.lists(rows, max_size=15), row=rows, place=st.integers(0, 15))
def test_one_more_row_brings_one_more_digest(table, row, place):
    def digests(entries):
        content = np.array(entries, dtype=np.uint64).reshape(-1, 2)
        return Counter(zip(map(tuple, entries), content_digests(content, key=KEY), strict=True))

    more = inserted(table, [row], [place])
    before, after = digests(table), digests(more)
    assert not before - after
    assert (after - before).total() == 1
    assert next(iter(after - before))[0] == row
    assert max(after.values()) == 1


@settings(deadline=None)
@given(
    units=st.lists(st.integers(0, 2**64 - 1), max_size=20),
    unit=st.integers(0, 2**64 - 1),
    share=st.fractions(0, 1),
)
def test_a_coin_depends_on_its_own_unit_alone(units, unit, share):
    alone = control_coin(np.array([unit], dtype=np.uint64), share=share, key=KEY)
    among = control_coin(np.array([*units, unit], dtype=np.uint64), share=share, key=KEY)
    assert among[-1] == alone[0]
    assert np.array_equal(
        among[:-1], control_coin(np.array(units, dtype=np.uint64), share=share, key=KEY)
    )


def test_it_would_notice_numbering_across_persons():
    """Without the person in the content, one person's copy renumbers another's: a planted bug."""

    def careless(table):
        content = np.array([row for _, row in table], dtype=np.uint64)
        persons = np.array([{"ann": 0, "bob": 1}[name] for name, _ in table])
        mask = bound_rows(content_digests(content, key=KEY), persons, max_rows=1)
        return {entry for entry, chosen in zip(table, mask, strict=True) if chosen}

    moved = 0
    for value in range(40):
        ann = [("ann", (value, 0)), ("ann", (value, 1))]
        bob = ("bob", (value, 0))
        moved += bool({e for e in careless([bob, *ann]) if e[0] == "ann"} ^ careless(ann))
        assert kept([bob, *ann], 1) - kept(ann, 1) == Counter([bob])
    assert moved > 0
