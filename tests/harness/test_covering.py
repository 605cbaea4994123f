"""The default run has every value of every parameter; the slow tier has the rest of the product."""

from __future__ import annotations

import itertools

import pytest

from tests.harness.covering import covering

pytest_plugins = ["pytester"]


@pytest.mark.parametrize(("sizes", "fewest"), [([3], 3), ([2, 5], 5), ([4, 4, 4], 4)])
def test_every_value_occurs_in_the_fewest_combinations(sizes, fewest):
    product = [
        frozenset((f"p{n}", (value,)) for n, value in enumerate(values))
        for values in itertools.product(*map(range, sizes))
    ]
    chosen = [product[n] for n in covering(product)]
    assert len(chosen) == fewest
    assert frozenset().union(*chosen) == frozenset().union(*product)


def test_the_tiers_share_a_product_and_leave_nothing_out(pytester):
    pytester.makeini("[pytest]\nmarkers = slow: long forms\n")
    pytester.makeconftest(
        "import pytest\n"
        "from tests.harness import covering\n"
        "@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_collection_modifyitems(items):\n"
        "    for item in covering.of_slow_tier(items):\n"
        "        item.add_marker(pytest.mark.slow)\n"
    )
    pytester.makepyfile(
        "import pytest\n"
        "@pytest.mark.parametrize('a', [1, 2])\n"
        "@pytest.mark.parametrize(('b', 'c'), [(0, 0), (0, 1), (1, 0)])\n"
        "def test_it(a, b, c): pass\n"
        "def test_alone(): pass\n"
    )
    quick, slow = (
        {line for line in pytester.runpytest("--collect-only", "-q", "-m", tier).outlines
         if "::" in line}
        for tier in ("not slow", "slow")
    )  # fmt: skip
    assert len(quick) == 1 + 3
    assert len(slow) == 3
    assert not quick & slow
