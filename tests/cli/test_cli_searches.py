"""`muniment searches`: what is kept, what is new, and that nothing is missed or told twice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from cli_console import COUNT, Console

from bench import bulk
from muniment import watching
from muniment.archive.archive import Archive
from muniment.errors import UsageError
from muniment.model import Article
from muniment.search.results import Filters
from muniment.search.saved import Saved, format_saved, parse_saved

TEXT = "The gates of the dam were painted on Tuesday, and nobody was asked."


def root_of(console: Console) -> Path:
    assert console.archive is not None
    return console.archive


def article(title: str, text: str = TEXT, at: str | None = None) -> dict[str, Any]:
    return {"url": f"https://www.paper.example/{at or title}", "title": title, "text": f"{title}. {text}", "number": 1,
            "authors": [], "published": "2021", "language": "en", "source": "Paper", "tags": []}  # fmt: skip


def add(root: Path, title: str, text: str = TEXT, at: str | None = None) -> int:
    with Archive(root) as archive, archive.writer() as writer:
        number = bulk.add(writer, article(title, text, at))
        writer.commit()
    return number


def save(root: Path, name: str, query: str, *, from_now: bool = False, **fields: Any) -> None:
    with Archive(root) as archive:
        watching.save(archive, Saved(name, query, **fields), from_now=from_now)


def told(root: Path, name: str, *, peek: bool = False, everything: bool = False) -> list[str | None]:
    """The titles that a run tells."""
    with Archive(root) as archive, watching.news(archive, watching.read(archive, name), everything=everything) as found:
        titles = [hit.snapshot.title for hit in found.hits]
        if not peek:
            watching.remember(archive, found, len(titles))
        return titles


# ---- what is new


def test_a_run_tells_what_was_added_since_the_last_and_each_article_once(root: Path) -> None:
    add(root, "One")
    save(root, "gates", "gate dam -otters")
    assert told(root, "gates") == ["One"]
    assert told(root, "gates") == []
    add(root, "Two")
    add(root, "Otters", "Of otters, gates and the dam there is nothing else to be told today.")
    add(root, "Three")
    assert told(root, "gates", peek=True) == told(root, "gates", peek=True) == ["Three", "Two"]
    assert told(root, "gates") == ["Three", "Two"]
    assert told(root, "gates") == []
    assert told(root, "gates", everything=True) == ["Three", "Two", "One"]


def test_a_new_version_that_matches_is_new_and_a_tag_is_not(console: Console, root: Path) -> None:
    save(root, "dam", "dam")
    number = add(root, "A", at="a")
    assert told(root, "dam") == ["A"]
    console("tag", number, "later")
    assert told(root, "dam") == []
    add(root, "B", f"{TEXT} It was corrected on Friday.", at="a")
    assert told(root, "dam") == ["B"]
    add(root, "C", "Nothing of it was left in the last version.", at="a")
    assert told(root, "dam") == []


def test_what_the_archive_holds_already_may_count_as_told(root: Path) -> None:
    add(root, "Old")
    save(root, "dam", "dam", from_now=True)
    add(root, "New")
    assert told(root, "dam") == ["New"]


def test_the_command_tells_what_is_new_as_a_search_does(console: Console, root: Path) -> None:
    number = add(root, "One")
    assert console("searches", "save", "gates", "gates", "-otters").err.startswith("gates is kept")
    console("searches", "save", "dams", "dam", "--from-now")
    assert console("searches", "list").lines[0].startswith("dams  never run  ")
    assert console("searches", "run", "--all", "--again", "--peek").lines == [
        "dams", f"#{number}  2021  Paper  One", f"    … {TEXT}", "    https://www.paper.example/One",
        "gates", f"#{number}  2021  Paper  One", f"    … {TEXT}", "    https://www.paper.example/One",
    ]  # fmt: skip
    done = console("searches", "run", "gates")
    assert done.lines[0] == f"#{number}  2021  Paper  One"
    assert done.err == "gates: 1 article in all; the index holds 1 of 1 article version\n"
    nothing = console("searches", "run", "gates", code=1)
    assert (nothing.out, nothing.err.partition(";")[0]) == ("", f"gates: 0 articles since #{number + 3}")
    add(root, "Two")
    rows = console("searches", "run", "--all", "--json").rows()
    assert [(row["search"], row["title"]) for row in rows] == [("dams", "Two"), ("gates", "Two")]


def test_a_search_that_finds_nothing_now_is_kept_and_says_so(console: Console, root: Path) -> None:
    add(root, "One")
    done = console("searches", "save", "gates", "gates", "--source", "papre")
    assert done.err.splitlines()[0] == "gates finds nothing now; did you mean: --source paper"
    assert console("searches", "show", "gates").out
    assert "nothing" not in console("searches", "save", "dam", "dam").err
    assert not console("searches", "save", "later", "zzzz", "-q").err


def test_a_wrong_search_that_was_written_by_hand_is_told_with_its_file_and_place(console: Console, root: Path) -> None:
    add(root, "One")
    console("searches", "save", "dam", "dam")
    (root / "searches/kinds.toml").write_text('query = "dam"\nkind = "pdff"\n')
    (root / "searches/open.toml").write_text('query = "dam (gate"\n')
    kinds = "muniment: searches/kinds.toml: kind: there is no kind 'pdff'; did you mean pdf?"
    wrong = ["muniment: searches/open.toml: this ( is not closed", "  dam (gate", "      ^"]
    assert console("searches", "run", "kinds", code=2).err.startswith(kinds)
    alone = console("searches", "run", "open", code=2).err.splitlines()
    assert alone[0].startswith(wrong[0]) and alone[1:] == wrong[1:]
    among = console("searches", "run", "--all", code=3).err.splitlines()
    assert among[1].startswith(kinds) and among[2].startswith(wrong[0]) and among[3:] == wrong[1:]


def test_a_run_that_was_killed_tells_again(many: Console, tmp_path: Path) -> None:
    shutil.copytree(root_of(many), tmp_path / "copy")
    console = Console(tmp_path / "copy", tmp_path)
    console("searches", "save", "all", "everywhere", "--versions")
    running = console.spawn("searches", "run", "all", "--json")
    assert running.stdout is not None
    running.stdout.readline()
    running.kill()  # it waits for a reader of the rest
    running.communicate()
    first = console.spawn("searches", "run", "all", "--json")
    assert first.stdout is not None
    first.stdout.readline()
    first.stdout.close()  # `| head -n 1`
    assert first.wait(timeout=60) == 0
    assert len(told(tmp_path / "copy", "all")) == COUNT
    assert told(tmp_path / "copy", "all") == []


def test_an_article_whose_text_comes_later_is_new_then_and_one_that_is_cleaned_anew_is_not(root: Path) -> None:
    number = add(root, "Late")
    save(root, "dam", "dam")
    assert told(root, "dam") == ["Late"]
    scan = article("Scan", "scanned")
    with Archive(root) as archive, archive.writer() as writer:
        made = archive.article(archive.snapshot(number))
        assert made is not None
        writer.add_article(made, number, "https://www.paper.example/Late", source="Paper")  # cleaned anew
        other = bulk.add_capture(writer, scan)
        writer.commit()
    assert told(root, "dam") == []
    with Archive(root) as archive, archive.writer() as writer:
        writer.add_article(made, other, scan["url"], source="Paper")
        writer.commit()
    assert told(root, "dam") == ["Late"]
    assert told(root, "dam") == []


# ---- what survives


def test_searches_survive_a_rebuild_a_move_and_another_index(console: Console, root: Path, tmp_path: Path) -> None:
    add(root, "One")
    save(root, "dam", "dam")
    assert told(root, "dam") == ["One"]
    console("rebuild", "-q")
    console("reindex", "--engine", "whoosh", "-q")
    moved = root.rename(tmp_path / "moved")
    assert told(moved, "dam") == []
    add(moved, "Two")
    assert told(moved, "dam") == ["Two"]
    assert Console(moved, tmp_path)("verify", "-q").code == 0


def test_where_an_older_archive_was_put_back_the_run_before_counts(root: Path, tmp_path: Path) -> None:
    add(root, "One")
    save(root, "dam", "dam")
    assert told(root, "dam") == ["One"]
    backup = tmp_path / "backup"
    shutil.copytree(root, backup)
    add(root, "Lost")
    assert told(root, "dam") == ["Lost"]
    shutil.copytree(root / "searches", backup / "searches", dirs_exist_ok=True)
    add(backup, "Two")
    add(backup, "Three")
    done = Console(backup, tmp_path)("searches", "run", "dam", "--json")
    assert [row["title"] for row in done.rows()] == ["Three", "Two"]
    assert "the log is older than at the last run" in done.err
    assert told(backup, "dam") == []


def test_a_search_that_was_changed_tells_everything_once(console: Console, root: Path) -> None:
    add(root, "One")
    save(root, "dam", "gate")
    assert told(root, "dam") == ["One"]
    path = root / "searches" / "dam.toml"
    path.write_text('\ufeff# by hand\nquery = "dam"\n')
    done = console("searches", "run", "dam", "--json")
    assert len(done.rows()) == 1 and "was changed" in done.err
    assert told(root, "dam") == []
    path.write_text('\n# another remark\nquery   =   "dam"\n')
    assert told(root, "dam") == []


# ---- what is wrong


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('query = "dam"\n\ncolour = "red"', "line 3: colour: there is no such key; there are query, any, source"),
        ('query = "dam"\nsource = 5', "line 2: source: write a text in quotes, or several"),
        ('query = "dam"\nsince = 2021-01-01', "line 2: since: write a date in quotes"),
        ('versions = "yes"\nquery = "dam"', "line 1: versions: write true or false"),
        ("query = 7", "line 1: query: write a text in quotes"),
        ("any = true", "query: there is nothing to search for"),
        ('query = "dam"\nquery = "gate"\n', "line 2"),
        ('query = "dam\nany = true', "line 1"),
        ('query = "(dam"', "this ( is not closed"),
        ('query = "dam"\nuntil = "soon"', "'soon' is no date"),
        ("[query]\na = 1", "line 1: query: write a text in quotes"),
        ('query = "a"\nversions = true\ncollapse = true', "line 3: collapse: versions and collapse contradict"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_told_with_line_and_key(root: Path, text: str, message: str) -> None:
    (root / "searches").mkdir()
    (root / "searches" / "wrong.toml").write_text(text)
    with pytest.raises(UsageError) as refused:
        told(root, "wrong")
    assert message in str(refused.value) and "searches/wrong.toml" in str(refused.value)


def test_the_others_are_run_beside_a_wrong_one(console: Console, root: Path) -> None:
    add(root, "One")
    save(root, "right", "dam")
    (root / "searches" / "wrong.toml").write_text('query = "(dam"')
    assert "searches/wrong.toml" in console("searches", "run", "wrong", code=2).err
    assert console("searches", "list").lines[1] == 'wrong  never run  query = "(dam"'
    both = console("searches", "run", "--all", "--json", code=3)
    assert [row["search"] for row in both.rows()] == ["right"]
    assert "wrong.toml: this ( is not closed" in both.err


def test_wrong_calls_are_refused(console: Console, root: Path) -> None:
    assert "is no name" in console("searches", "save", "../x", "dam", code=2).err
    assert (
        console("searches", "save", "x", "洪水 (dam", code=2).err.splitlines()[-1] == "       ^"
    )  # two columns a letter
    assert "nothing to search for" in console("searches", "save", "x", code=2).err
    assert not (root / "searches").exists()
    console("searches", "save", "x", "dam")
    assert "--replace" in console("searches", "save", "x", "gate", code=2).err
    console("searches", "save", "x", "gate", "--replace")
    assert console("searches", "show", "x").lines == ['query = "gate"']
    for action in ("show", "run", "remove"):
        assert "there is no search 'y'" in console("searches", action, "y", code=2).err
    console("searches", "run", code=2)
    console("searches", "remove", "x")
    assert console("searches").out == ""
    (root / "searches" / "link.toml").symlink_to("/etc/hostname")
    assert "it is a link" in console("searches", "run", "link", code=2).err


def test_a_damaged_memory_is_told_and_nothing_is_guessed(root: Path) -> None:
    add(root, "One")
    save(root, "dam", "dam")
    told(root, "dam")
    state = root / "searches" / "state" / "dam.json"
    state.write_bytes(state.read_bytes()[:20])
    with pytest.raises(UsageError, match="is damaged: remove it"):
        told(root, "dam")
    state.unlink()
    assert told(root, "dam") == ["One"]


def test_json_tells_all_of_a_search(console: Console, root: Path) -> None:
    number = add(root, "One")
    options = ("--source", "A", "--source", "B", "--not-tag", "x", "--since", "2020", "--any", "--collapse")
    console("searches", "save", "gates", "What became of the gates?", *options)
    (row,) = console("searches", "--json").rows()
    assert row == console("searches", "show", "gates", "--json").json()
    assert (row["query"], row["any"], row["source"], row["not_tag"], row["since"], row["collapse"]) == (
        "What became of the gates?", True, ["A", "B"], ["x"], "2020", True)  # fmt: skip
    assert (row["runs"], row["error"]) == ([], None)
    assert told(root, "gates") == []
    (run,) = console("searches", "show", "gates", "--json").json()["runs"]
    assert (run["log_size"], run["told"]) == (number + 3, 0)


def test_two_runs_at_once_do_not_tell_the_same(console: Console, root: Path) -> None:
    add(root, "One")
    save(root, "dam", "dam")
    with Archive(root) as archive, watching.locked(archive):
        console("searches", "run", "dam", code=11)
        assert console("searches", "run", "dam", "--peek", "--json").rows()[0]["title"] == "One"


@pytest.mark.parametrize(
    "saved",
    [
        Saved("a", 'say "x\\y" \t\u200c«گفت»\x7f'),
        Saved("b", "", Filters(source=("A", 'B"'), until="2020"), versions=True),
        Saved("c", "Who was it?", Filters(not_author=("Ann",)), sentence=True, collapse=True),
    ],
)
def test_a_file_that_is_written_gives_the_search_again(saved: Saved) -> None:
    assert parse_saved(saved.name, format_saved(saved)) == saved
    assert json.dumps(format_saved(saved)).isascii()


def test_names_stay_in_their_folder() -> None:
    for name in ("", ".", "..", "a/b", "a b", "-a", "x" * 65, "a\n"):
        with pytest.raises(UsageError):
            watching.check_name(name)
    assert watching.check_name("خبر-2") == "خبر-2"


# ---- what is damaged


def damage(root: Path, number: int) -> None:
    """The text that was made of a snapshot, a byte of it flipped where it lies."""
    with Archive(root) as archive:
        derivation = archive.snapshot(number).derivation
        assert derivation is not None
        place = archive.catalog.placements(derivation)[0]
    with (root / place.segment).open("r+b") as file:
        file.seek(place.offset + place.length // 2)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 0x10]))


def memory(root: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (root / "searches" / "state").glob("*.json")}


@pytest.mark.parametrize("engine", ["tantivy", "whoosh"])
def test_an_index_that_cannot_answer_is_told_once_for_all_searches_and_none_moves(
    console: Console, root: Path, engine: str
) -> None:
    add(root, "One")
    console("reindex", "--engine", engine)
    for name, query in (("a", "dam"), ("b", "gates"), ("c", "painted")):
        save(root, name, query)
        told(root, name)
    (root / "searches" / "aa.toml").write_text('query = "(dam"\n')
    add(root, "Two")
    kept = memory(root)
    index = next(path for path in (root / "index").iterdir() if path.is_dir())
    file = index / (index / "sound").read_text().partition(" ")[0]
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    for options in ([], ["--json"], ["--again"]):
        done = console("searches", "run", "--all", *options, code=4)
        assert done.out == ""
        assert done.err.count("muniment reindex") == 1 and "is damaged" in done.err
    assert memory(root) == kept and len(kept) == 3
    file.write_bytes(whole)
    done = console("searches", "run", "--all", "--json", code=3)
    assert [(row["search"], row["title"]) for row in done.rows()] == [("a", "Two"), ("b", "Two"), ("c", "Two")]


def test_a_damaged_text_that_has_to_be_looked_through_is_warned_of(console: Console, root: Path) -> None:
    sound, damaged = add(root, "One"), add(root, "Two")
    asked = 'near:"gates dam tuesday painted"~12'
    assert set(console("search", asked, "--ids").lines) == {str(sound), str(damaged)}
    damage(root, damaged)
    done = console("search", asked, "--ids")
    assert done.lines == [str(sound)]
    assert f"#{damaged} may match too, and cannot be looked through: " in done.err
    save(root, "near", asked)
    done = console("searches", "run", "near", "--json")
    assert [row["snapshot"] for row in done.rows()] == [sound]
    assert f"#{damaged} may match too" in done.err


def test_an_article_whose_earlier_text_is_damaged_is_told_again_rather_than_missed(root: Path) -> None:
    """Cleaned anew, it is new where it had no text before; whether it had cannot be told of a damaged one."""
    whole, damaged = add(root, "One"), add(root, "Two")
    save(root, "dam", "dam")
    assert told(root, "dam") == ["Two", "One"]
    damage(root, damaged)
    with Archive(root) as archive, archive.writer() as writer:
        for number, title in ((whole, "One"), (damaged, "Two")):
            made = Article(title, f"{title}. {TEXT} Cleaned anew.", extractor="t/2")
            writer.add_article(made, number, f"https://www.paper.example/{title}")
        writer.commit()
    assert told(root, "dam") == ["Two"]
    assert told(root, "dam") == []
