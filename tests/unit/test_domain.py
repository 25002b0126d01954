"""Domains: sizes, and which columns are ordered."""

import pytest

from dpsynth.domain import Domain

DOMAIN = Domain(sizes={"age": 4, "sex": 2}, ordered=frozenset({"age"}))


def test_only_columns_can_be_ordered():
    with pytest.raises(ValueError, match="ordered must name columns"):
        Domain(sizes={"age": 4}, ordered=frozenset({"zip"}))


def test_replacing_sizes_keeps_the_order():
    assert DOMAIN.replace({"age": 9}).ordered == {"age"}


@pytest.mark.parametrize(("groups", "kept"), [([0, 0, 1, 2], True), ([0, 2, 1, 2], False)])
def test_regrouping_keeps_an_order_that_the_groups_keep(groups, kept):
    found = DOMAIN.regrouped({"age": groups})
    assert found.sizes == {"age": 3, "sex": 2}
    assert ("age" in found.ordered) is kept
