"""Twins: what is one article at several addresses, and what only says so."""

from __future__ import annotations

import random
import sqlite3
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))

from cli_console import Console, page

from muniment import pipeline
from muniment.adding import AddOptions
from muniment.archive.archive import Archive
from muniment.archive.sketch import are_alike, sketch
from muniment.archive.twins import is_plausible, is_variant
from muniment.ingest.upload import Target
from muniment.model import Article, Attempt, Declared
from tests.conftest import NOW, download

WORDS = (
    "dam",
    "homes",
    "flood",
    "council",
    "autumn",
    "valley",
    "engineer",
    "inquiry",
    "wall",
    "river",
    "night",
    "mayor",
)


def story(seed: int, count: int = 120) -> str:
    rng = random.Random(seed)
    return " ".join(rng.choice(WORDS) + str(rng.randrange(9)) for _ in range(count))


class Site:
    """Captures of an archive, each at an identity key and naming another or none."""

    def __init__(self, root: Path):
        self.root, self.count = root, 0

    def put(self, key: str, text: str, canonical: str | None = None, *, flags: tuple[str, ...] = (),
            problem: str | None = None, tags: tuple[str, ...] = ()) -> int:  # fmt: skip
        self.count += 1
        url = f"https://{key}"
        article = Article("A title", text, extractor="t/1", canonical_key=canonical, flags=flags, problem=problem)
        with Archive(self.root) as archive, archive.writer() as writer:
            added = writer.add_capture(download(url, b"<p>%d" % self.count), [("articleKey", key), ("articleUrl", url)])
            writer.add_article(article, added.number, url, tags=tags)
            writer.commit()
            return added.number

    def gone(self, key: str) -> None:
        with Archive(self.root) as archive, archive.writer() as writer:
            writer.add_attempt(Attempt(f"https://{key}", NOW, "http-404", "gone"), [("articleKey", key)])
            writer.commit()

    def groups(self) -> dict[str, list[int]]:
        """The snapshots of each article; the same after a rebuild."""
        before = self._state()
        pipeline.rebuild(self.root).close()
        after = self._state()
        assert before == after, "rebuild makes another"
        groups: dict[str, list[int]] = {}
        for number, key, *_ in after[0]:
            groups.setdefault(key, []).append(number)
        return groups

    def _state(self) -> tuple[list, list, list]:
        db = sqlite3.connect(self.root / "catalog.sqlite")
        try:
            return (
                db.execute("select snapshot, key, tags, collections, sound from article order by 1").fetchall(),
                db.execute("select * from twin order by 1").fetchall(),
                db.execute("select kind, key, name, held from label order by 1, 2, 3").fetchall(),
            )
        finally:
            db.close()


@pytest.fixture
def site(root: Path) -> Site:
    return Site(root)


@pytest.mark.parametrize(
    ("one", "other", "plausible", "variant"),
    [
        ("amp.h.example/a", "h.example/a", True, True),
        ("m.h.example/a", "h.example/a", True, True),
        ("en.m.wiki.example/a", "en.wiki.example/a", True, True),
        ("h.example/a/amp", "h.example/a", True, True),
        ("h.example/amp/a", "h.example/a", True, True),
        ("h.example/a.amp.html", "h.example/a.html", True, True),
        ("h.example/a?amp=1&x=2", "h.example/a?x=2", True, True),
        ("h.example/a?print=1", "h.example/a", True, True),
        ("h.example/a?view=print", "h.example/a", True, True),
        ("h.example/print/a", "h.example/a", True, True),
        ("h.example/a?page=2", "h.example/a", True, False),
        ("h.example/a?id=5", "h.example/story", True, False),
        ("h.example/a", "h.example/", False, False),
        ("h.example/a", "h.example/a", False, True),
        ("h.example/a", "wire.example/a", False, False),
        ("127.0.0.1:8001/a", "127.0.0.1:8002/a", False, False),
        ("alice.blogs.example/a", "blogs.example/a", False, False),
        ("m.example/a", "print.example/a", False, False),
        ("mobile.co.uk/a", "print.co.uk/a", False, False),
    ],
)
def test_which_addresses_may_be_twins(one: str, other: str, plausible: bool, variant: bool) -> None:
    assert (is_plausible(one, other), is_variant(one, other)) == (plausible, variant)


def test_sketches_tell_versions_of_a_text_from_other_texts() -> None:
    text = story(1, 400)
    edited = story(2, 60) + " " + text.replace("dam1", "wall").replace("river2", "stream")
    assert are_alike(sketch(text), sketch(edited))
    assert not are_alike(sketch(text), sketch(story(3, 400)))
    assert are_alike(sketch("Gone."), sketch("Gone.")) and not are_alike(sketch("Gone."), sketch("Come."))
    assert not are_alike(sketch(""), sketch("")) and sketch("  \n") == b""
    chinese = "市议会周二批准了新的渡轮码头。工程将于春季开始,预计需要两年时间。" * 3
    assert are_alike(sketch(chinese), sketch(chinese + "居民表示欢迎。"))
    assert not are_alike(sketch(chinese), sketch("法院驳回了上诉,并命令公司支付赔偿金,案件由此结束。" * 3))
    assert len(sketch(text)) == 128


@pytest.mark.parametrize("first", ["twin", "page"])
def test_a_twin_is_one_article_with_its_page_whichever_came_first(site: Site, first: str) -> None:
    calls = [("h.example/a?ref=home", "h.example/a"), ("h.example/a", None)]
    numbers = [site.put(key, story(1), named) for key, named in (calls if first == "twin" else calls[::-1])]
    assert site.groups() == {"h.example/a": numbers}
    with Archive(site.root) as archive:
        assert archive.catalog.article_count() == 1
        assert {archive.snapshot(number).key for number in numbers} == {"h.example/a"}
        assert archive.catalog.version_counts(["h.example/a"]) == {"h.example/a": 1}
        for address in ("h.example/a", "h.example/a?ref=home"):
            assert archive.catalog.article_at(address) == "h.example/a"


def test_two_twins_of_a_page_that_was_never_captured_are_one(site: Site) -> None:
    one = site.put("h.example/a?ref=home", story(1), "h.example/a")
    two = site.put("h.example/a?ref=mail", story(1) + " More.", "h.example/a")
    assert site.groups() == {"h.example/a?ref=home": [one, two]}
    with Archive(site.root) as archive:
        assert archive.catalog.article_at("h.example/a") == "h.example/a?ref=home", "found by the address it names"
    three = site.put("h.example/a", story(1))
    assert site.groups() == {"h.example/a": [one, two, three]}


def test_an_amp_page_needs_no_like_text(site: Site) -> None:
    amp = site.put("amp.h.example/a", story(1), "h.example/a")
    plain = site.put("h.example/a", story(2))
    assert site.groups() == {"h.example/a": [amp, plain]}


def test_pages_that_all_name_one_address_stay_articles_of_their_own(site: Site) -> None:
    numbers = [site.put(f"h.example/a?id={n}", story(n), "h.example/story") for n in range(5)]
    assert len(site.groups()) == 5
    twin = site.put("h.example/print?id=3", story(3), "h.example/story")
    assert len(site.groups()) == 6, "no page tells which of the others it is a twin of"
    page = site.put("h.example/story", story(3))
    assert site.groups()["h.example/story"] == [numbers[3], twin, page]
    front = [site.put(f"h.example/f{n}", story(n), "h.example/") for n in (10, 10)]
    assert site.groups()["h.example/f10"] == front


def test_the_next_page_of_an_article_is_no_version_of_it(site: Site) -> None:
    one = site.put("h.example/a", story(1))
    two = site.put("h.example/a?page=2", story(2), "h.example/a")
    assert site.groups() == {"h.example/a": [one], "h.example/a?page=2": [two]}


def test_no_site_takes_anothers_article(site: Site) -> None:
    mine = site.put("h.example/a", story(1))
    thief = site.put("evil.example/a", story(1), "h.example/a")
    assert site.groups() == {"h.example/a": [mine], "evil.example/a": [thief]}


def test_an_address_that_changes_what_it_names_is_its_own_article(site: Site) -> None:
    first = site.put("h.example/latest", story(1), "h.example/1")
    one = site.put("h.example/1", story(1))
    assert site.groups() == {"h.example/1": [first, one]}
    second = site.put("h.example/latest", story(2), "h.example/2")
    two = site.put("h.example/2", story(2))
    assert site.groups() == {"h.example/latest": [first, second], "h.example/1": [one], "h.example/2": [two]}


def test_a_page_that_moved_takes_its_history_along(site: Site) -> None:
    old = site.put("h.example/old-title", story(1))
    renamed = site.put("h.example/old-title", story(1) + " It held.", "h.example/new-title")
    amp = site.put("amp.h.example/old-title", story(1), "h.example/old-title")
    assert site.groups() == {"h.example/old-title": [old, renamed, amp]}
    new = site.put("h.example/new-title", story(1) + " It held.")
    assert site.groups() == {"h.example/new-title": [old, renamed, amp, new]}


def test_pages_that_name_one_another_are_one_article(site: Site) -> None:
    one = site.put("h.example/b", story(1), "h.example/a")
    two = site.put("h.example/a", story(1), "h.example/b")
    assert site.groups() == {"h.example/a": [one, two]}


def test_a_wall_in_the_articles_place_names_nothing(site: Site) -> None:
    one = site.put("h.example/a?x=1", "Accept all cookies", "h.example/a", flags=("cookie-wall",))
    two = site.put("h.example/a?x=2", "Accept all cookies", "h.example/a", problem="no-text")
    page = site.put("h.example/a", "Accept all cookies")
    assert len(site.groups()) == 3 and one < two < page


def test_a_paywalled_capture_never_hides_a_whole_one(site: Site) -> None:
    whole = site.put("h.example/a", story(1))
    teaser = site.put("h.example/a", story(1)[:200], flags=("paywall",))
    with Archive(site.root) as archive:
        assert archive.catalog.newest("h.example/a") == whole
        assert archive.snapshot(teaser).flags == ("paywall",)
        assert archive.catalog.version_counts(["h.example/a"]) == {"h.example/a": 2}


def test_labels_are_the_articles_whichever_address_they_were_put_on(site: Site) -> None:
    amp = site.put("h.example/a?ref=1", story(1), "h.example/a", tags=("flood",))
    with Archive(site.root) as archive, archive.writer() as writer:
        writer.add_act("tag", {"add": ["dam"], "remove": []}, amp)
        writer.add_act("collection", {"name": "case", "add": [amp], "remove": []})
        writer.commit()
    page = site.put("h.example/a", story(1))
    with Archive(site.root) as archive, archive.writer() as writer:
        assert [archive.snapshot(number).tags for number in (amp, page)] == [("flood", "dam"), ("dam",)]
        assert archive.snapshot(page).collections == ("case",)
        writer.add_act("collection", {"name": "case", "add": [page], "remove": []})
        writer.add_act("tag", {"add": [], "remove": ["dam"]}, page)
        writer.commit()
        assert archive.snapshot(amp).tags == ("flood",)
        assert archive.catalog.collections() == {"case": 1}
    site.groups()


@pytest.mark.parametrize("engine", ["tantivy", "whoosh"])
def test_the_index_follows_when_two_articles_turn_out_to_be_one(site: Site, engine: str) -> None:
    def found(query: str) -> list[int]:
        with Archive(site.root) as archive:
            return [hit.snapshot.number for hit in pipeline.find(archive, pipeline.Search(query)).hits]

    old = site.put("h.example/a?ref=1", story(1) + " forty", "h.example/a")
    with Archive(site.root) as archive:
        pipeline.reindex(archive, engine, lambda reached: None)
    assert found("forty") == [old]
    new = site.put("h.example/a", story(1) + " some")
    assert found("valley*") == [new] and found("removed:forty") == [new] and found("forty") == [old]
    with Archive(site.root) as archive:
        assert [key for key, *_ in [(s.key,) for s in archive.catalog.snapshots([old, new])]] == 2 * ["h.example/a"]


def test_a_withdrawal_of_what_made_them_twins_parts_them_again(site: Site) -> None:
    one = site.put("h.example/a?ref=1", story(1), "h.example/a")
    page = site.put("h.example/a", story(1))
    later = site.put("h.example/a", story(9))
    assert site.groups() == {"h.example/a": [one, page, later]}
    with Archive(site.root) as archive, archive.writer() as writer:
        writer.withdraw(page, "a court")
    assert site.groups() == {"h.example/a?ref=1": [one], "h.example/a": [later]}


def test_a_page_that_turns_out_to_be_none_when_cleaned_anew_stands_for_nobody(site: Site) -> None:
    one = site.put("h.example/a?x=1", story(1), "h.example/a")
    two = site.put("h.example/a?x=2", story(1), "h.example/a")
    three = site.put("h.example/a?x=3", story(1), "h.example/a")
    assert site.groups() == {"h.example/a?x=1": [one, two, three]}
    with Archive(site.root) as archive, archive.writer() as writer:
        article = Article("A title", story(1), extractor="t/2", canonical_key="h.example/a", flags=("soft-404",))
        writer.add_article(article, one, "https://h.example/a?x=1")
        writer.commit()
    assert site.groups() == {"h.example/a?x=1": [one], "h.example/a?x=2": [two, three]}


def test_what_happened_at_any_address_is_in_the_history(site: Site) -> None:
    twin = site.put("amp.h.example/a", story(1), "h.example/a")
    page = site.put("h.example/a", story(1))
    site.gone("amp.h.example/a")
    with Archive(site.root) as archive:
        events = archive.catalog.history("h.example/a")
    assert [(leaf.type, leaf.uri) for _, leaf, _ in events] == [
        ("capture", "https://amp.h.example/a"), ("capture", "https://h.example/a"), ("attempt", "https://amp.h.example/a")
    ]  # fmt: skip
    assert [number for *_, number in events][:2] == [twin, page]


def test_in_any_order_of_captures_the_same_articles_come_out(tmp_path: Path, new_archive) -> None:
    pages = [
        ("h.example/a", 1, None), ("h.example/a?r=1", 1, "h.example/a"), ("h.example/a?r=2", 1, "h.example/a"),
        ("h.example/x?i=1", 2, "h.example/x"), ("h.example/x?i=2", 3, "h.example/x"), ("amp.h.example/b", 4, "h.example/b"),
        ("h.example/b", 5, "h.example/c"), ("h.example/c", 5, None),
    ]  # fmt: skip
    seen = set()
    for seed in range(6):
        order = random.Random(seed).sample(pages, len(pages))
        made = Site(new_archive(f"a{seed}"))
        names = {made.put(key, story(text), named): key for key, text, named in order}
        seen.add(frozenset((key, frozenset(names[n] for n in numbers)) for key, numbers in made.groups().items()))
    assert len(seen) == 1
    assert {len(group) for _, group in next(iter(seen))} == {1, 3}


# ---- what people see of it


@pytest.fixture
def told(site: Site) -> Console:
    site.put("amp.h.example/a", story(1), "h.example/a")
    site.put("h.example/a", story(1))
    site.put("h.example/a", story(1) + " It held.")
    site.gone("amp.h.example/a")
    site.put("h.example/a", story(1)[:150], flags=("paywall",))
    site.put("h.example/a", "Nothing is here.", flags=("soft-404",))
    return Console(site.root, site.root.parent)


def test_the_history_says_where_each_thing_happened(told: Console) -> None:
    for address in ("https://h.example/a", "http://amp.h.example/a?utm_source=x#top", "1"):
        done = told("history", address, code=0)
        lines = done.out.splitlines()
        assert [line.endswith("  at https://amp.h.example/a") for line in lines] == [
            True,
            False,
            False,
            True,
            False,
            False,
        ]
        assert "version 1 again" in lines[1] and "gone: HTTP 404" in lines[3]
        assert "version 3  A title  [paywall]" in lines[4] and lines[5].endswith("no article: soft-404")
        assert done.err == "3 versions\n", "the article is not gone with its twin"


def test_any_of_its_addresses_shows_and_finds_the_article(told: Console, site: Site) -> None:
    with Archive(site.root) as archive:
        newest = archive.catalog.newest("h.example/a")
    for address in ("https://h.example/a", "https://amp.h.example/a", "http://www.h.example/a/?fbclid=1"):
        shown = told("show", address).out
        assert f"#{newest}" in shown and "It held." in shown
        assert "twins      h.example/a, amp.h.example/a" in shown
        (hit,) = told("search", address, "--json").json()["hits"]
        assert (hit["snapshot"], hit["versions"]) == (newest, 3)
    for query in ("(https://h.example/a)", "https://amp.h.example/a held", "held https://h.example/a", "h.example/a"):
        (hit,) = told("search", query, "--json").json()["hits"]
        assert hit["snapshot"] == newest, query
    assert newest not in [
        hit["snapshot"] for hit in told("search", "held -https://h.example/a", "--json", code=None).json()["hits"]
    ]
    assert "the article at this address" in told("search", "https://h.example/a", "--explain").err
    assert "no article was captured" in told("show", "https://h.example/other", code=2).err
    assert "no snapshot number" in told("show", "other", code=2).err
    assert told("show", str(newest), "--json").json()["addresses"] == ["h.example/a", "amp.h.example/a"]


@pytest.mark.parametrize("engine", ["tantivy", "whoosh"])
def test_what_is_flagged_says_so_and_never_stands_for_the_article(told: Console, site: Site, engine: str) -> None:
    told("reindex", "--engine", engine)
    with Archive(site.root) as archive:
        newest = archive.catalog.newest("h.example/a")
    word = story(1).split()[0]
    (hit,) = told("search", word, "--json").json()["hits"]
    assert (hit["snapshot"], hit["flags"], hit["confidence"]) == (newest, [], None)
    assert "A title  [paywall]" in told("search", "flag:paywall", "--versions").out
    assert told("search", "flag:*", "--versions", "--ids").out.split() != []
    assert len(told("search", "-flag:*", "--versions", "--ids").out.split()) == 3
    assert told("search", "flag:cookie-wall", code=1).out == ""


def test_pages_are_joined_by_what_they_name_when_they_are_added(root: Path, tmp_path: Path) -> None:
    def target(name: str, url: str, canonical: str) -> Target:
        path = tmp_path / name
        path.write_bytes(
            page("The dam held").replace(b"</head>", b'<link rel=canonical href="%s">' % canonical.encode())
        )
        with path.open("ab") as file:
            file.write(f"<!-- {name} -->".encode())
        return Target(name, path=path, declared=Declared(url=url))

    named = "https://www.h.example/2021/dam?utm_source=x"
    targets = [
        target("amp.html", "https://amp.h.example/2021/dam", named),
        target("ref.html", "https://h.example/2021/dam?ref=front", named),
        target("other.html", "https://evil.example/2021/dam", named),
        target("front.html", "https://h.example/2021/dam?front=1", "https://h.example/"),
        target("page.html", "http://h.example/2021/dam/", "https://h.example/2021/dam"),
    ]
    with Archive(root) as archive:
        added = list(pipeline.add(archive, targets, lambda: None, AddOptions(processes=1)))
        keys = [archive.snapshot(one.snapshot).key for one in added]
    assert keys == [
        *2 * ["h.example/2021/dam"],
        "evil.example/2021/dam",
        "h.example/2021/dam?front=1",
        "h.example/2021/dam",
    ]
