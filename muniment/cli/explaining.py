"""What `search --explain` tells on stderr, and in `--json`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from muniment.cli.common import counted, note, printable
from muniment.search.explain import explained
from muniment.search.scores import told

if TYPE_CHECKING:
    from muniment.pipeline import Found, Results


def explain(results: Results, form: str | None) -> None:
    """The tree, what its words were looked for as, and what makes each score; in `--json` it stands there instead."""
    if form == "json":
        return
    for line in explained(results.tree):
        note(printable(line))
    for word in results.forms:
        as_what = "as written" if word.form == word.word else f"as {word.form}"
        note(printable(f"{word.word} {as_what} in {word.field}: {counted(word.articles, 'version')}"))
    explain_scores(results.hits)


def explain_scores(hits: Iterable[Found]) -> None:
    """What makes the score of each hit."""
    for hit in hits:
        if hit.parts:
            note(f"#{hit.snapshot.number} has {hit.score:.3f}:")
            for line in told(hit.parts):
                note(printable(f"  {line}"))


def as_json(results: Results) -> dict[str, Any]:
    """The same as a value; the parts of each score stand with its hit."""
    return {"explain": {"tree": list(explained(results.tree)), "words": [form._asdict() for form in results.forms]}}
