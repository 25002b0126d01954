"""Tests of one group share a process, and with it what is dear to start."""

import pytest


@pytest.mark.xdist_group("spark")
def test_a_group_keeps_to_one_process(request):
    if not getattr(request.config.option, "loadgroup", False):
        pytest.skip("all tests run in one process")
    assert request.node.nodeid.endswith("@spark")
