"""What changed between two texts: paragraphs, words, moves; and whether it is minor."""

from __future__ import annotations

import random
import time

import pytest

from muniment.versions.difference import Difference, compare, count_words
from muniment.versions.minor import is_minor
from muniment.versions.sequences import align

OLD = """Forty homes were lost when the gate of the Orvan dam gave way on Saturday.
The authority said that the wall had been inspected in spring.
Nobody had been warned, say the people of the lower streets.
The mayor asked for an inquiry, and for a list of all who were told.
Share this story"""


def changes(difference: Difference) -> list[str]:
    return [p.change for p in difference.paragraphs]


def sides(difference: Difference) -> tuple[str, str]:
    """Both texts, put together again from the pieces."""
    old = sorted((p.a, "".join(t for op, t in p.pieces if op != "+")) for p in difference.paragraphs if p.a is not None)
    new = sorted((p.b, "".join(t for op, t in p.pieces if op != "-")) for p in difference.paragraphs if p.b is not None)
    return "\n".join(text for _, text in old), "\n".join(text for _, text in new)


def test_the_words_that_changed_are_told_and_the_rest_is_the_same() -> None:
    found = compare(OLD, OLD.replace("Forty homes were", "Some homes were").replace(" in spring", ""))
    assert changes(found) == ["changed", "changed", "same", "same", "same"]
    assert [(p.op, p.text) for p in found.paragraphs[0].pieces][:2] == [("-", "Forty "), ("+", "Some ")]
    assert (found.removed, found.added, found.moved) == (3, 1, 0)


def test_equal_texts_and_white_space_make_no_difference() -> None:
    assert not compare(OLD, OLD)
    assert not compare(OLD, OLD.replace(" ", "  ").replace("\n", "\n\n"))
    assert not compare("", "")
    assert compare("", "a word")


def test_a_paragraph_that_was_moved_is_neither_removed_nor_added() -> None:
    lines = OLD.split("\n")
    found = compare(OLD, "\n".join([lines[3], *lines[:3], lines[4]]))
    moved = [p for p in found.paragraphs if p.change == "moved"]
    assert [(p.a, p.b) for p in moved] in ([(3, 0)], [(0, 1), (1, 2), (2, 3)])
    assert (found.removed, found.added) == (0, 0)
    assert found


def test_a_paragraph_that_was_moved_and_edited_shows_both() -> None:
    lines = OLD.split("\n")
    edited = lines[0].replace("Saturday", "Sunday")
    found = compare(OLD, "\n".join([*lines[1:4], edited, lines[4]]))
    (moved,) = [p for p in found.paragraphs if p.change == "moved"]
    assert {("-", "Saturday"), ("+", "Sunday")} <= {(op, text) for op, text in moved.pieces}
    assert (found.removed, found.added, found.moved) == (1, 1, 1)


def test_a_short_line_that_stands_elsewhere_was_not_moved() -> None:
    found = compare("Read more\n" + OLD, OLD + "\nRead more")
    assert "moved" not in changes(found)


def test_scripts_without_spaces_are_compared_by_character_and_persian_by_word() -> None:
    found = compare("東京都は水道の値上げを発表した。", "東京都は水道の値下げを発表した。")
    assert (found.removed, found.added) == (1, 1)
    found = compare("دولت می‌خواهد سد را ببندد.", "دولت نمی‌خواهد سد را ببندد.")
    assert [p.text.strip() for p in found.paragraphs[0].pieces if p.op != "="] == ["می‌خواهد", "نمی‌خواهد"]


def test_both_texts_can_be_put_together_again_from_the_pieces() -> None:
    rng = random.Random(3)
    words = ["the", "dam", "was", "held", "by", "stone", ",", "and", "nobody", "knew", ".", "水", "سد"]
    for _ in range(300):
        old = "\n".join(" ".join(rng.choices(words, k=rng.randint(1, 12))) for _ in range(rng.randint(1, 12)))
        lines = old.split("\n")
        rng.shuffle(lines)
        kept = [line for line in lines if rng.random() < 0.9] or ["x"]
        new = "\n".join(" ".join(w if rng.random() < 0.9 else rng.choice(words) for w in line.split()) for line in kept)
        found = compare(old, new)
        was, now = sides(found)
        assert "".join(was.split()) == "".join(old.split()) and now.split() == new.split()
        assert bool(found) == (old != new)


@pytest.mark.parametrize("seed", range(3))
def test_an_alignment_covers_both_sequences_and_its_equal_stretches_are_equal(seed: int) -> None:
    rng = random.Random(seed)
    for size, letters in ((8, "ab"), (60, "abcdefgh"), (1500, [str(n) for n in range(3000)])):
        a = [rng.choice(letters) for _ in range(size)]
        b = [x for x in a if rng.random() < 0.9] + [rng.choice(letters) for _ in range(size // 10)]
        at_a = at_b = 0
        for s in align(a, b):
            assert (s.a_start, s.b_start) == (at_a, at_b)
            assert not s.same or a[s.a_start : s.a_end] == b[s.b_start : s.b_end]
            at_a, at_b = s.a_end, s.b_end
        assert (at_a, at_b) == (len(a), len(b))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n".join(f"line {n} of many" for n in range(40_000)), "\n".join(f"line {n} of most" for n in range(40_000))),
        ("\n".join(["the same line"] * 40_000), "\n".join(["the same line", "another one"] * 20_000)),
        ("word " * 200_000, "word other " * 100_000),
    ],
)
def test_hostile_texts_take_bounded_time(old: str, new: str) -> None:
    begun = time.process_time()
    assert compare(old, new)
    assert time.process_time() - begun < 20


# ---- minor


def minor(old: str, new: str) -> bool:
    return is_minor(compare(old, new), max(count_words(old), count_words(new)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Share this story", "Share this story (214)"),
        ("Share this story", "Read also: three more stories"),
        ("Nobody had been warned,", "Nobody had been warned"),
        ("said that the wall", "said that The Wall"),
    ],
)
def test_counters_links_signs_and_case_are_minor(old: str, new: str) -> None:
    assert minor(OLD, OLD.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Forty homes", "Ten homes"),
        (" in spring", ""),
        ("Nobody had", "Everybody had"),
        ("\nShare this story", "\nA line of links that goes on for more words than a label ever would have, and on"),
        ("\nShare this story", "\nOne two three\nFour five six\nSeven eight"),
    ],
)
def test_a_word_in_a_sentence_or_many_words_are_not_minor(old: str, new: str) -> None:
    assert not minor(OLD, OLD.replace(old, new))


def test_a_paragraph_that_was_moved_is_not_minor() -> None:
    lines = OLD.split("\n")
    assert not minor(OLD, "\n".join([lines[1], lines[0], *lines[2:]]))
