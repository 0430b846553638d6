"""Near-duplicates: the time of a check among N articles, its memory and file, and what it finds, beside brute force.

The last ADDED articles are generated words with Zipf's frequencies, taken in as `add` does; for those before them
signatures and postings are drawn at random, as those of unrelated texts are, and written at once. Some of the added
ones are edited and checked: two, five or fifteen words in a hundred replaced, cut to sixty in a hundred with others
added, or with other lines around them. Brute force compares the runs of three words of each with all articles of a
sample.
"""

from __future__ import annotations

import random
import resource
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from statistics import median

from bench.common import WORK, table
from bench.corpus import VOCABULARY, WORDS
from muniment.index.minhash import BANDS, VALUES
from muniment.index.stories import ALIKE, Stories

ADDED, EDITED, SAMPLE = 10_000, 150, 400
_WORDS = WORDS["en"]
_FREQUENT = random.Random(0).choices(
    _WORDS, cum_weights=list(accumulate(1 / (rank + 3) for rank in range(VOCABULARY))), k=1 << 20
)


def words_of(number: int) -> list[str]:
    """The words of an article, the same for the same number."""
    rng = random.Random(number)
    return rng.choices(_FREQUENT, k=rng.randint(200, 500))


def edits(number: int) -> Iterator[tuple[str, list[str]]]:
    """An article edited in some ways."""
    rng, words = random.Random(f"edit {number}"), words_of(number)
    for share in (2, 5, 15):
        yield f"{share} words in 100 replaced", [rng.choice(_WORDS) if rng.random() < share / 100 else w for w in words]
    yield "cut to 60 in 100, 20 in 100 new", words[: len(words) * 3 // 5] + rng.choices(_FREQUENT, k=len(words) // 5)
    yield "30 other words before and behind", rng.choices(_FREQUENT, k=30) + words + rng.choices(_FREQUENT, k=30)


def fill(path: Path, count: int) -> None:
    """A file of `count` unrelated texts."""
    Stories(path, writable=True).close()
    rng = random.Random(2)
    gap = (1 << 32) / (BANDS * count or 1)
    with sqlite3.connect(path) as db:
        db.execute("pragma cache_size = -32000")
        texts = ((number, None, rng.randbytes(2 * VALUES)) for number in range(count))
        db.executemany("insert into text values (?, ?, ?)", texts)
        postings = ((int(n * gap) - (1 << 31), rng.randrange(count)) for n in range(BANDS * count))
        db.executemany("insert or ignore into band values (?, ?)", postings)
    db.close()


def add(stories: Stories, start: int, end: int) -> float:
    """Takes in articles; returns the CPU milliseconds of one."""
    texts = [words_of(number) for number in range(start, end)]
    begun = time.process_time()
    for number, words in enumerate(texts, start):
        stories.add(number, words)
        if number % 1000 == 999:
            stories.commit(number + 1, "bench")
    stories.commit(end, "bench")
    return 1000 * (time.process_time() - begun) / len(texts)


def runs(words: Sequence[str]) -> frozenset[tuple[str, ...]]:
    return frozenset(zip(words, words[1:], words[2:], strict=False))


def by_brute_force(found: frozenset[tuple[str, ...]], sample: dict[int, frozenset[tuple[str, ...]]]) -> set[int]:
    return {number for number, other in sample.items() if len(found & other) >= ALIKE * len(found | other)}


def run(count: int) -> None:
    folder = WORK / "neardup"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    first = max(0, count - ADDED)
    fill(folder / "stories.sqlite", first)
    stories = Stories(folder / "stories.sqlite", writable=True)
    each = add(stories, first, count)
    rng = random.Random(1)
    chosen = rng.sample(range(first, count), SAMPLE)
    originals, sample = chosen[:EDITED], {number: runs(words_of(number)) for number in chosen}
    rows: dict[str, list[int]] = {}
    times: dict[str, list[float]] = {}
    wrong = 0
    for number in originals:
        for kind, words in edits(number):
            truth = by_brute_force(runs(words), sample)
            begun = time.perf_counter()
            story = stories.add(count, words)
            took = time.perf_counter() - begun
            members = set(stories.members([story])[story]) - {count} if story is not None else set()
            stories.remove([count])
            wrong += members != {number} and bool(members)
            row = rows.setdefault(kind, [0, 0])
            row[0] += number in members
            row[1] += bool(truth)
            times.setdefault(kind, []).append(1000 * took)
    stories.commit(count, "bench")
    stories.close()
    size = sum(path.stat().st_size for path in Path(folder).iterdir())
    worst = max(map(median, times.values()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000 / (1000 if sys.platform == "darwin" else 1)
    table(
        f"near-duplicates: {count:,} articles, {EDITED} of them edited",
        ["edited", "found", f"brute force (share of runs {ALIKE} and more)", "ms a check (wall, median)"],
        [[kind, f"{found / EDITED:.3f}", f"{truth / EDITED:.3f}", f"{median(times[kind]):.2f}"]
         for kind, (found, truth) in rows.items()],
    )  # fmt: skip
    table(
        "near-duplicates: cost",
        ["", "", "reach"],
        [
            ["check, the slowest kind (wall, median)", f"{worst:.2f} ms", "under 2 ms"],
            ["check and keep (CPU, mean)", f"{each:.2f} ms", "under 2 ms"],
            ["peak memory of the whole process", f"{peak:.0f} MB", "under 300 MB"],
            ["file", f"{size / count:.0f} bytes an article", ""],
            ["joined to another story", str(wrong), "0"],
        ],
    )
    shutil.rmtree(folder)


if __name__ == "__main__":
    run(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
