"""Every row of the table of the query language in docs/search.md, run as it stands.

The archive is that of the document's examples, and a little of what the other rows ask for: an article that was edited,
a page behind a paywall, a PDF, what was published today, a collection, a note, something withdrawn.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from test_examples import Example, environment, filled_archive, run, sections

from demo.site import Site
from muniment.archive.archive import Archive
from muniment.pipeline import Search, find
from muniment.search.conditions import HAS, IS
from tests.documents.builders import text_pdf
from tests.ingest_clean.clean_pages import article_html, html_page, unsure_page

TODAY = datetime.now(UTC).date()
STORY = {
    "url": "http://example.org/story", "title": "Gate failure at the lock", "source": "Example Times", "published": "2021-05",
    "text": "After the flood came a drought, and the wells of Hask were dry. The gate met with a second failure. A broken"
    " collar was found, and two women were jailed for %s days.",
}  # fmt: skip
LOCKED = '<script type="application/ld+json">{"@type": "NewsArticle", "headline": "x", "isAccessibleForFree": "False"}</script>'
STEPS = (
    "--archive archive add --from story.jsonl",
    "--archive archive add --from edited.jsonl",
    "--archive archive add more",
    "--archive archive collect 'the war' 1 6",
    "--archive archive note 4 'Seen by the editor.'",
    "--archive archive withdraw 22 --reason 'by order of a court'",
    "--archive archive search flood --limit 0",
)

# How many articles each query of the table's first column finds there.
FOUND = {
    "flood engineer": 2,
    '"record house"': 7,
    '"gate failure"~10': 1,
    'near:"dam flood"': 2,
    'near:"dam flood"~5': 1,
    "exact:flood": 6,
    "exact:(flood dam)": 5,
    "flood OR drought": 7,
    "flood -dam": 1,
    "flood NOT dam": 1,
    "(flood OR drought) wells": 1,
    "col*r": 3,
    "wom?n": 2,
    "jail*": 1,
    "merin~": 11,
    "merin~2": 17,
    "title:flood": 2,
    "text:flood": 7,
    "author:pellow": 3,
    "removed:forty": 1,
    'source:"Example Times"': 1,
    "language:fa": 11,
    "lang:fa": 11,
    "tag:upload": 6,
    'collection:"the war"': 2,
    "http://example.org/story": 1,
    "flag:paywall": 1,
    "flag:*": 1,
    "kind:pdf": 1,
    "-kind:upload": 44,
    "has:author": 23,
    "is:latest": 54,
    "-is:latest": 1,
    "is:withdrawn": 1,
    "-source:x -language:fa": 43,
    "site:example.org": 1,
    "published:2021-05": 1,
    "date:2021-05": 1,
    "captured:2026": 54,
    "captured:today": 54,
    'published:"last 2 weeks"': 1,
    "published:>=2020": 17,
    "published:[2020 TO]": 17,
    "2019..2021": 9,
    "before:2020": 27,
    "after:yesterday": 1,
    "published:{2019 TO 2021}": 1,
    "title:[a TO m]": 34,
}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    folder = tmp_path_factory.mktemp("lived")
    (folder / "more").mkdir()
    (folder / "more" / "locked.html").write_bytes(html_page(article_html(), LOCKED))
    (folder / "more" / "unsure.html").write_bytes(unsure_page())
    (folder / "more" / "plan.pdf").write_bytes(text_pdf([[(72, 700, 12, "A plan of the new gate.")]]))
    for name, days in (("story", "forty"), ("edited", "ten")):
        (folder / f"{name}.jsonl").write_text(json.dumps(STORY | {"text": STORY["text"] % days}) + "\n", "utf-8")
    with (folder / "edited.jsonl").open("a", encoding="utf-8") as lines:
        lines.write(json.dumps({"text": "News of today.", "title": "Lately", "published": TODAY.isoformat()}) + "\n")
    shutil.copytree(filled_archive(tmp_path_factory.getbasetemp()), folder / "archive")
    with Site() as site:
        run([Example(f"muniment {step}", "") for step in STEPS], folder, environment(site, ""))
    with Archive(folder / "archive") as opened:
        yield opened


def rows() -> list[list[str]]:
    """The queries in the first column of the table, row by row."""
    table = sections("search.md")["The language"].partition("| --- | --- |\n")[2].partition("\n\n")[0]
    return [re.findall(r"`([^`]+)`", row.split(" | ")[0]) for row in table.splitlines()]


def total(archive: Archive, text: str) -> int:
    return find(archive, Search(text.replace("2026", str(TODAY.year)), limit=0)).total


def test_every_row_of_the_language_finds_what_it_says(archive: Archive) -> None:
    assert all(rows()) and len(rows()) > 30
    written = [query for row in rows() for query in row]
    known = [hit.snapshot.confidence or 0 for hit in find(archive, Search("confidence:*", limit=None)).hits]
    agreed = {
        "confidence:<0.9": sum(share < 0.9 for share in known),
        "confidence:0.8..0.9": sum(0.8 <= share <= 0.9 for share in known),
    }
    assert all(agreed.values())
    assert {query: total(archive, query) for query in written} == FOUND | agreed


def test_each_state_and_its_opposite_are_all_there_is(archive: Archive) -> None:
    everything = total(archive, "is:latest OR is:earlier")
    for query in [*(f"has:{name}" for name in HAS), *(f"is:{name}" for name in IS if name != "withdrawn")]:
        found = find(archive, Search(query, limit=0, versions=True)).total
        assert found + find(archive, Search(f"-{query}", limit=0, versions=True)).total == everything + 1, query


def test_dates_as_the_table_has_them_are_read(archive: Archive) -> None:
    table = sections("search.md")["Dates"].partition("| --- | --- |\n")[2].partition("\n\n")[0]
    first = [row.split(" | ")[0].strip("| ") for row in table.splitlines()]
    written = [each.strip().strip('"') for cell in first for each in cell.replace(", and", ",").split(",")]
    assert len(written) > 12
    for day in written:
        total(archive, f'published:"{day}"')
