"""`muniment diff`"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from muniment.cli.common import (
    PATH,
    common_options,
    counted,
    echo,
    faint,
    json_option,
    note,
    one_line,
    open_archive,
    print_json,
    printable,
)
from muniment.cli.history import key_of
from muniment.errors import UsageError

if TYPE_CHECKING:
    from muniment.archive.archive import Archive
    from muniment.versions.difference import Difference, Paragraph, Piece
    from muniment.versions.reading import Reading

_MARKS = {"-": ("[-", "-]", "red"), "+": ("{+", "+}", "green")}  # as wdiff and git have them


@click.command()
@click.argument("first", type=PATH, metavar="A")
@click.argument("second", type=PATH, metavar="[B]", required=False)
@click.option("--all", "everything", is_flag=True, help="Print the paragraphs that are the same too.")
@json_option
@common_options
@click.pass_context
def diff(ctx: click.Context, first: str, second: str | None, everything: bool, as_json: bool, quiet: bool) -> None:
    """Show what changed from A to B, by words. A and B are snapshots, derivations or addresses; of one address or
    snapshot alone, the last two versions. Ends with 1 where nothing differs."""
    from muniment.versions.difference import compare

    archive = open_archive(ctx)
    pair = _readings(archive, first, second)
    if pair is None:
        note(f"there is but one version of {one_line(first)}")
        ctx.exit(1)
    old, new = pair
    difference, fields = compare(old.article.text, new.article.text), _fields(old, new)
    if as_json:
        print_json(_as_json(old, new, difference, fields, everything))
    else:
        for name, (before, after) in fields.items():
            sides = [_piece(op, one_line(value)) for op, value in (("-", before), ("+", after)) if value]
            echo(f"{faint(f'{name:<10}')} {' '.join(sides)}")
        for line in _lines(difference, everything):
            echo(line)
    note(f"{_names(old, new)}: {_summary(difference, fields)}", quiet=quiet or as_json)
    ctx.exit(0 if difference or fields else 1)


def _readings(archive: Archive, first: str, second: str | None) -> tuple[Reading, Reading] | None:
    """The two that are to be compared; None where one was named that has one version only."""
    from muniment.versions.reading import last_two, read

    if second is not None:
        return read(archive, _number(archive, first)), read(archive, _number(archive, second))
    pair = last_two(archive, key_of(archive, first))
    if pair is None:
        _number(archive, first)
        return None
    return read(archive, pair[0]), read(archive, pair[1])


def _number(archive: Archive, what: str) -> int:
    """The number itself, or the snapshot that stands for an article."""
    if re.fullmatch(r"#?\d{1,18}", what):
        return int(what.removeprefix("#"))
    found = archive.catalog.newest(key_of(archive, what))
    if found is None:
        raise UsageError(f"no article was captured at {one_line(what)}")
    return found


def _fields(old: Reading, new: Reading) -> dict[str, tuple[Any, Any]]:
    """What else is said of the article, where it differs: (before, after) by name."""
    before, after = old.article, new.article
    pairs = {
        "title": (before.title, after.title),
        "published": (before.published and before.published.date, after.published and after.published.date),
        "authors": (", ".join(before.authors), ", ".join(after.authors)),
        "language": (before.language, after.language),
        "problem": (before.problem, after.problem),
    }
    return {name: pair for name, pair in pairs.items() if (pair[0] or None) != (pair[1] or None)}


def _lines(difference: Difference, everything: bool) -> Iterator[str]:
    same = 0
    for paragraph in difference.paragraphs:
        if paragraph.change == "same" and not everything:
            same += 1
            continue
        if same:
            yield faint(f"… {counted(same, 'paragraph')} the same …")
            same = 0
        yield _line(paragraph)
    if same and difference:
        yield faint(f"… {counted(same, 'paragraph')} the same …")


def _line(paragraph: Paragraph) -> str:
    text = "".join(_piece(op, _shown(text)) for op, text in paragraph.pieces)
    if paragraph.change != "moved":
        return text
    assert paragraph.a is not None and paragraph.b is not None
    was = "below" if paragraph.a > paragraph.b else "above"
    return faint(f"(moved here from {was}) ") + text


def _shown(text: str) -> str:
    return printable(text) if sys.stdout.isatty() else text


def _piece(op: str, text: str) -> str:
    """A piece in colour on a terminal, else between `[-` and `-]`, `{+` and `+}`; the space behind stays outside."""
    if op not in _MARKS or not text:
        return text
    opening, closing, colour = _MARKS[op]
    bare = text.rstrip()
    space = text[len(bare) :]
    if sys.stdout.isatty() and _colours():
        return click.style(bare, fg=colour, strikethrough=op == "-" or None) + space
    return f"{opening}{bare}{closing}{space}"


def _colours() -> bool:
    context = click.get_current_context(silent=True)
    return context is None or context.color is not False


def _names(old: Reading, new: Reading) -> str:
    """`#4 (2021-05-30) to #9 (2021-06-01)`; of one capture the derivations: `#5 to #12, both of #4`"""
    if old.snapshot == new.snapshot and old.derivation != new.derivation:
        return f"#{old.derivation} to #{new.derivation}, both of #{new.snapshot}"
    return " to ".join(f"#{reading.snapshot} ({reading.at[:10]})" for reading in (old, new))


def _summary(difference: Difference, fields: dict[str, tuple[Any, Any]]) -> str:
    if not difference and not fields:
        return "nothing differs"
    told = [f"{counted(difference.removed, 'word')} removed, {difference.added:,} added"] if difference else []
    told += [f"{counted(difference.moved, 'paragraph')} moved"] if difference.moved else []
    return "; ".join(told + ([f"{', '.join(fields)} changed"] if fields else []))


def _as_json(
    old: Reading, new: Reading, difference: Difference, fields: dict[str, tuple[Any, Any]], everything: bool
) -> dict[str, Any]:
    def pieces(found: tuple[Piece, ...]) -> list[list[str]]:
        return [[op, text] for op, text in found]

    return {
        "a": {"snapshot": old.snapshot, "derivation": old.derivation, "at": old.at},
        "b": {"snapshot": new.snapshot, "derivation": new.derivation, "at": new.at},
        "differs": bool(difference or fields),
        "fields": {name: {"a": before, "b": after} for name, (before, after) in fields.items()},
        "words_removed": difference.removed,
        "words_added": difference.added,
        "paragraphs_moved": difference.moved,
        "paragraphs": [
            {"change": p.change, "a": p.a, "b": p.b, "pieces": pieces(p.pieces)}
            for p in difference.paragraphs
            if everything or p.change != "same"
        ],
    }
