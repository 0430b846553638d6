"""The values of which query trees are made."""

from __future__ import annotations

import random

import pytest

from muniment.index.query import (
    And,
    Everything,
    Fuzzy,
    Not,
    Nothing,
    Or,
    Prefix,
    Range,
    Term,
    Wildcard,
    conjunction,
    days,
    disjunction,
    edit_distance_within,
    is_scored,
    positive_leaves,
    word_matcher,
)

A, B, C = (Term("text", word) for word in "abc")


def test_trees_are_frozen_values() -> None:
    assert Term("text", "a") == A != Prefix("text", "a")
    assert hash(Term("text", "a")) == hash(A)
    assert len({A, Term("text", "a"), B, Prefix("text", "a")}) == 3
    assert repr(Range("number", 1, include_high=False)) == (
        "Range(field='number', low=1, high=None, include_low=True, include_high=False)"
    )
    with pytest.raises(AttributeError, match="frozen"):
        A.word = "b"  # type: ignore[misc]
    with pytest.raises(AttributeError, match="frozen"):
        del A.word
    for wrong in (lambda: Term("text"), lambda: Term("a", "b", "c"), lambda: Term("a", words="b")):  # type: ignore
        with pytest.raises(TypeError, match="Term takes field, word"):
            wrong()


def test_conjunction_and_disjunction_have_no_needless_levels() -> None:
    assert conjunction([]) == Everything()
    assert conjunction([A, Everything()]) == A
    assert conjunction([And((A, B)), C]) == And((A, B, C))
    assert disjunction([]) == Nothing()
    assert disjunction([A]) == A
    assert disjunction([A, B]) == Or((A, B))


def test_positive_leaves_are_those_not_under_a_not() -> None:
    assert list(positive_leaves(And((A, Or((B, Not(C))))))) == [A, B]
    assert not is_scored(And((Term("source", "x"), Not(A))))
    assert is_scored(Or((Term("source", "x"), A)))


def test_dates_are_intervals_as_long_as_their_precision() -> None:
    assert days("2021") == (20210101, 20211231)
    assert days("2021-05") == (20210501, 20210531)
    assert days("2021-05-30") == (20210530, 20210530)


def test_edit_distance_counts_a_swap_as_two() -> None:
    assert edit_distance_within("tehran", "tehran", 0)
    assert edit_distance_within("tehran", "teran", 1)
    assert edit_distance_within("tehran", "etehran", 1)
    assert not edit_distance_within("tehran", "etrhan", 1)
    assert not edit_distance_within("ab", "ba", 1)
    assert edit_distance_within("ab", "ba", 2)
    assert edit_distance_within("tehran", "etrhan", 2, swaps=True) and edit_distance_within("ab", "ba", 1, swaps=True)
    assert not edit_distance_within("abcd", "cdab", 2, swaps=True) and not edit_distance_within("a", "b", 0, swaps=True)


def test_edit_distance_is_levenshteins() -> None:
    rng = random.Random(3)
    for _ in range(3_000):
        a, b = ("".join(rng.choices("abc", k=rng.randrange(9))) for _ in range(2))
        row = list(range(len(b) + 1))
        for i, x in enumerate(a, 1):
            above, row[0] = row[0], i
            for j, y in enumerate(b, 1):
                above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (x != y))
        for limit in range(5):
            assert edit_distance_within(a, b, limit) == (row[-1] <= limit), (a, b, limit)


def test_wildcards_take_every_other_sign_literally() -> None:
    fits = word_matcher(Wildcard("text", "c++*"))
    assert fits("c++") and fits("c++11") and not fits("ccc")
    fits = word_matcher(Wildcard("text", "w?m*n"))
    assert fits("woman") and fits("wimmin") is True and not fits("wmn")
    fits = word_matcher(Wildcard("text", "a*b?*c*a"))
    assert fits("abbca") and fits("aaabxcaa") and fits("abxcca") and not fits("abca") and not fits("abxacb")
    assert not word_matcher(Wildcard("text", "*a" * 30 + "b"))("a" * 64), "and it does not take forever to say so"
    assert word_matcher(Fuzzy("text", "cafe", 1))("cage")
    assert word_matcher(Range("text", "b", "d", False))("c") and not word_matcher(Range("text", "b", "d", False))("b")
