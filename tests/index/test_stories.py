"""Texts that are nearly the same: signatures, and the file of stories."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import pytest

from muniment.index import minhash, stories
from muniment.index.stories import Stories, open_stories

VOCABULARY = [f"word{n}" for n in range(3000)]


def text(seed: int, size: int = 400) -> list[str]:
    return random.Random(seed).choices(VOCABULARY, k=size)


def edited(words: list[str], share: float, seed: int = 0) -> list[str]:
    rng = random.Random(seed)
    return [rng.choice(VOCABULARY) if rng.random() < share else word for word in words]


def jaccard(a: list[str], b: list[str]) -> float:
    runs = [set(zip(words, words[1:], words[2:], strict=False)) for words in (a, b)]
    return len(runs[0] & runs[1]) / len(runs[0] | runs[1])


def plain_signature(words: list[str]) -> bytes:
    """The same by its definition, a bin at a time."""
    runs = zip(words, words[1:], words[2:], strict=False)
    hashes = [crc32(" ".join(run).encode()) for run in runs]
    bins = [[found for found in hashes if found // 2**25 == n] for n in range(128)]
    values = []
    for n in range(128):
        distance = next(d for d in range(128) if bins[(n + d) % 128])
        values.append((min(bins[(n + distance) % 128]) + distance * 0x9E37) % 2**16)
    return b"".join(value.to_bytes(2, "little") for value in values)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Stories]:
    made = Stories(tmp_path / "stories.sqlite", writable=True)
    yield made
    made.close()


def test_a_signature_is_the_same_everywhere() -> None:
    assert crc32(minhash.signature(text(1)) or b"") == 3989984027
    for size in (minhash.LEAST_WORDS, 50, 400):
        assert minhash.signature(text(2, size)) == plain_signature(text(2, size))
    assert len(minhash.signature(text(1)) or b"") == 2 * minhash.VALUES
    assert minhash.signature(text(1, minhash.LEAST_WORDS - 1)) is None
    assert minhash.signature(text(1, minhash.LEAST_WORDS)) is not None
    assert minhash.signature([]) is None


def test_agreement_estimates_the_share_of_runs_in_common() -> None:
    off = []
    for seed in range(60):
        words, share = text(seed, 60 + 10 * seed), (0, 0.02, 0.05, 0.1, 0.2)[seed % 5]
        other = edited(words, share, seed)
        found = minhash.likeness(minhash.signature(words) or b"", minhash.signature(other) or b"")
        off.append(abs(found - jaccard(words, other)))
    assert max(off) < 0.25 and sum(off) / len(off) < 0.05
    assert minhash.likeness(minhash.signature(text(1)) or b"", minhash.signature(text(2)) or b"") < 0.05


def test_edited_copies_are_one_story_and_unrelated_texts_none(opened: Stories) -> None:
    for number in range(100):
        assert opened.add(number, text(number)) is None
    missed = [n for n in range(100) if opened.add(1000 + n, edited(text(n), 0.02, n)) != n]
    assert missed == []
    assert opened.add(5000, text(5)[:240] + text(9999, 60)) in (5, None)
    assert opened.members([7]) == {7: [7, 1007]}
    assert opened.stories_of([7, 1007, 200]) == {7: 7, 1007: 7}
    assert opened.stories_of(range(30_000)).keys() >= {7, 1007}


def test_the_same_text_again_changes_nothing_and_another_replaces_it(opened: Stories) -> None:
    opened.add(1, text(1))
    opened.add(2, edited(text(1), 0.02))
    assert opened.add(2, edited(text(1), 0.02)) == 1
    assert opened.members([1]) == {1: [1, 2]}
    opened.add(2, text(2))
    assert opened.stories_of([1, 2]) == {}
    assert opened.add(3, edited(text(2), 0.02)) == 2
    opened.add(2, ["too", "short"])
    assert opened.stories_of([2, 3]) == {}


def test_what_is_removed_leaves_its_story_and_its_words(opened: Stories, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        opened.add(number, edited(text(1), 0.01, number))
    opened.remove([1])
    assert opened.members([1]) == {1: [2, 3]}
    opened.remove([2])
    assert opened.stories_of([3]) == {}
    opened.remove([3, 99])
    opened.commit(9, "id")
    with sqlite3.connect(tmp_path / "stories.sqlite") as db:
        for table in ("band", "text", "member"):
            assert db.execute(f"select count(*) from {table}").fetchone() == (0,)
    db.close()


def test_nothing_is_kept_before_the_commit(tmp_path: Path) -> None:
    path = tmp_path / "stories.sqlite"
    first = Stories(path, writable=True)
    first.add(1, text(1))
    first.commit(3, "three")
    first.add(2, text(1))
    with pytest.raises(sqlite3.OperationalError) as e:
        Stories(path, writable=True).add(7, text(7))
    assert stories.is_busy(e.value)
    first.close()
    again = Stories(path, writable=True)
    assert again.progress() == (3, "three")
    assert again.add(2, text(1)) == 1
    again.close()


def test_ten_thousand_copies_of_a_text_are_listed_a_few_times(opened: Stories, tmp_path: Path) -> None:
    for number in range(200):
        assert opened.add(number, text(1)) == (0 if number else None)
    opened.commit(1, "x")
    with sqlite3.connect(tmp_path / "stories.sqlite") as db:
        (most,) = db.execute("select max(n) from (select count(*) as n from band group by hash)").fetchone()
    db.close()
    assert most == stories.POSTINGS
    assert len(opened.members([0])[0]) == 200


def test_a_file_that_is_damaged_a_link_or_another_version_is_not_opened(tmp_path: Path) -> None:
    assert open_stories(tmp_path) is None
    path = tmp_path / "stories.sqlite"
    path.write_bytes(b"nonsense" * 1000)
    assert open_stories(tmp_path) is None
    path.unlink()
    Stories(path, writable=True).close()
    with sqlite3.connect(path) as db:
        db.execute("pragma user_version = 99")
    db.close()
    assert open_stories(tmp_path) is None
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert open_stories(tmp_path) is None
