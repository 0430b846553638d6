"""Every hit of a search, however many, printed a group at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from muniment.cli.common import json_text, write
from muniment.cli.hits import as_json, csv_lines, hit_as_json, is_counted, print_results

if TYPE_CHECKING:
    from muniment.pipeline import Found, Results

GROUP = 200


def groups(hits: Iterator[Found]) -> Iterator[list[Found]]:
    while group := list(islice(hits, GROUP)):
        yield group


def print_all(
    results: Results, hits: Iterator[Found], form: str | None, *, facets_wanted: bool, explained: bool = False
) -> int:
    """In the same forms as print_results, and `jsonl`; returns how many there were. `explained`: and on stderr what
    makes each score."""
    shown = 0
    if form == "json":
        head, _, tail = json_text(as_json(results)).partition('"hits": []')
        write(head + '"hits": [')
    if form == "csv":
        write(csv_lines(()))
    for number, group in enumerate(groups(hits)):
        shown += len(group)
        if explained:
            from muniment.cli.explaining import explain_scores

            explain_scores(group)
        if form == "json":
            write((",\n" if number else "\n") + ",\n".join(json_text(hit_as_json(hit)) for hit in group))
        elif form == "csv":
            write(csv_lines(group, head=False))
        else:
            print_results(results._replace(hits=group), form, facets_wanted=False)
    if form == "json":
        write(f"\n]{tail}\n")
    elif form is None and is_counted(results, facets_wanted=facets_wanted):
        from muniment.cli.counts import print_counts

        print_counts(results.facets)
    return shown
