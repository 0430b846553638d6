"""Articles made up for measuring: any number, the same for the same seed, no real text.

Words are syllables of our own with Zipf's frequencies and a few inflections, in four languages and two scripts; one
word in sixty is of a long tail of names, which are met once or twice. Dates, sources and languages are as unevenly
spread as in a real archive. `python -m bench.corpus COUNT` prints them as lines of JSON.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

SYLLABLES = {
    "en": "ba con der el fra gov hi in just kel lo mon na or par qui ren sta tion un ver wal yes zo th ing",
    "fr": "é au ble cour dé eu fran gé hô il jeu la mé nou ou pré que ré soi té ui vous çai",
    "fa": "با تو در ست کار می نا شه ران گو هم خو اب دی مر پا سی لی زم چه",
    "ar": "ال كت مد رس ون با في قا سم عل حر نظ شع دو له بر مج يت",
}
ENDINGS = {
    "en": ("", "", "s", "ed", "ing"),
    "fr": ("", "", "s", "e"),
    "fa": ("", "", "\u200cها", "ی"),
    "ar": ("", "", "ة", "ون"),
}
LANGUAGES = {"en": 0.6, "fr": 0.15, "fa": 0.15, "ar": 0.1}
VOCABULARY = 20_000
SOURCES = 200
NAMES, ONE_NAME_IN = 2_000_000, 60
FIRST_YEAR, LAST_YEAR = 2000, 2026
SHORT = (150, 450)  # words of an article where a million are made


def vocabulary(language: str) -> list[str]:
    """The words of a language, the most frequent first."""
    rng = random.Random(language)
    syllables = SYLLABLES[language].split()
    words: dict[str, None] = {}
    while len(words) < VOCABULARY:
        size = 1 + (len(words) > 60) + (rng.random() < 0.5) + (rng.random() < 0.3)
        words["".join(rng.choices(syllables, k=size))] = None
    return list(words)


WORDS = {language: vocabulary(language) for language in LANGUAGES}
# Every form of every word, so that one draw gives an inflected word.
_FORMS = {language: [word + end for word in words for end in ENDINGS[language]] for language, words in WORDS.items()}
_WEIGHTS = {
    language: list(accumulate(1 / (rank + 3) for rank in range(VOCABULARY) for _ in ENDINGS[language]))
    for language in LANGUAGES
}
_SOURCE_WEIGHTS = list(accumulate(1 / (rank + 1) for rank in range(SOURCES)))


def articles(
    n: int, seed: int = 0, words: tuple[int, int] = (300, 800), earlier_versions: int = 0
) -> Iterator[dict[str, Any]]:
    """Articles as dictionaries of number, url, source, host, language, title, text, authors, tags, published.

    One in so many `earlier_versions` is an earlier version of the one after it: the same address, a sentence more.
    """
    for number in range(n):
        earlier = earlier_versions and number % earlier_versions == 0 and number + 1 < n
        following = number + 1 if earlier else number
        made = article(following, random.Random(f"{seed}/{following}"), words)
        if following != number:
            correction = " ".join(_words(random.Random(f"{seed}/{number}"), made["language"], 12))
            made |= {"number": number, "text": f"{made['text']}\n{correction.capitalize()}."}
        yield made


def article(number: int, rng: random.Random, size: tuple[int, int]) -> dict[str, Any]:
    language = rng.choices(list(LANGUAGES), weights=list(LANGUAGES.values()))[0]
    rank = rng.choices(range(SOURCES), cum_weights=_SOURCE_WEIGHTS)[0]
    host = f"www.paper{rank:03}.example"
    # More of the recent years than of the early ones.
    year = FIRST_YEAR + int((LAST_YEAR - FIRST_YEAR + 1) * rng.random() ** 0.5)
    date = f"{year}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
    return {
        "number": number,
        "url": f"https://{host}/{year}/{number}",
        "source": f"Paper {rank:03}",
        "host": host,
        "language": language,
        "title": " ".join(_words(rng, language, rng.randint(4, 11))).capitalize(),
        "text": _text(rng, language, rng.randint(*size)),
        "authors": [f"Name{rng.randrange(2000)} Family{rng.randrange(900)}"] if rng.random() < 0.8 else [],
        "tags": rng.sample(("war", "election", "court", "prison", "economy"), rng.choice((0, 0, 1, 2))),
        "published": date[: rng.choices((10, 7, 4), weights=(90, 5, 5))[0]],
    }


def _words(rng: random.Random, language: str, count: int) -> list[str]:
    words = rng.choices(_FORMS[language], cum_weights=_WEIGHTS[language], k=count)
    for _ in range(int(count / ONE_NAME_IN + rng.random())):
        words[rng.randrange(count)] = _name(rng.randrange(NAMES), language)
    return words


def _name(number: int, language: str) -> str:
    syllables = _SYLLABLES[language]
    name = ""
    for _ in range(5):
        number, digit = divmod(number, len(syllables))
        name += syllables[digit]
    return name.capitalize()


_SYLLABLES = {language: listed.split() for language, listed in SYLLABLES.items()}


def _text(rng: random.Random, language: str, count: int) -> str:
    words = _words(rng, language, count)
    sentences: list[str] = []
    at = 0
    while at < count:
        size = rng.randint(6, 25)
        sentence = words[at : at + size]
        sentences.append(f"{sentence[0].capitalize()} {' '.join(sentence[1:])}.")
        at += size
    paragraphs = (" ".join(sentences[i : i + 4]) for i in range(0, len(sentences), 4))
    return "\n".join(paragraphs)


def read(path: Path, count: int) -> Iterator[dict[str, Any]]:
    """The first `count` articles of such lines: a smaller corpus is the beginning of a larger one."""
    with path.open(encoding="utf-8") as file:
        for _, line in zip(range(count), file, strict=False):
            yield json.loads(line)


if __name__ == "__main__":
    for _made in articles(int(sys.argv[1]), words=SHORT):
        sys.stdout.write(json.dumps(_made, ensure_ascii=False) + "\n")
