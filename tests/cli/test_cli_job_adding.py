"""`muniment jobs add`: where things lie, and what is refused now and not at night."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest
from cli_console import Console

EVERY = ("--every", "6 hours")


def note_in(folder: Path) -> None:
    """A file that has not changed for a while."""
    folder.mkdir(exist_ok=True)
    (folder / "note.txt").write_text("A note about the dam, and who built it. " * 9)
    os.utime(folder / "note.txt", (1, 1))


@pytest.fixture
def inside(root: Path) -> Console:
    """Commands given in the archive's folder."""
    return Console(None, root)


# ---- where things lie


def test_what_lies_in_the_archive_goes_along_when_that_is_moved(inside: Console, root: Path) -> None:
    note_in(root / "inbox")
    (root / "lists").mkdir()
    (root / "lists" / "c.txt").write_text("http://127.0.0.1:9/never\n")
    inside("jobs", "add", "j", "--folder", "inbox", "--list", "lists/c.txt", "--export", "exports/all.jsonl", *EVERY)
    table = tomllib.loads((root / "jobs" / "j.toml").read_text())
    assert (table["folders"], table["lists"], table["export"]["path"]) == (
        ["inbox"],
        ["lists/c.txt"],
        "exports/all.jsonl",
    )
    first = inside("jobs", "run", "j", "--json", code=3).json()
    assert [(one["target"], one["tried"], one["new"]) for one in first["sources"]] == [
        ("inbox", 1, 1),
        ("lists/c.txt", 1, 0),
    ]
    moved = Console(root.rename(root.parent / "moved"), root.parent)
    again = moved("jobs", "run", "j", "--json", code=3).json()
    assert [(one["target"], one["tried"]) for one in again["sources"]] == [("inbox", 0), ("lists/c.txt", 1)]
    assert again["errors"] == []
    assert (root.parent / "moved" / "exports" / "all.jsonl").is_file()
    assert not root.exists()


def test_paths_are_as_seen_from_the_archive_wherever_the_run_is_called(inside: Console, root: Path) -> None:
    note_in(root / "inbox")
    (root / "jobs").mkdir()
    (root / "jobs" / "j.toml").write_text('schedule = "every day"\nfolders = ["inbox", "inbox/"]\n')
    ran = Console(root, root.parent)("jobs", "run", "j", "--json").json()
    assert [one["new"] for one in ran["sources"]] == [1, 0]


@pytest.mark.parametrize("named", ["../in", "log/../../in", "./../in", "elsewhere"])
def test_what_lies_elsewhere_is_kept_by_its_whole_path(inside: Console, root: Path, named: str) -> None:
    (root.parent / "in").mkdir()
    (root / "elsewhere").symlink_to("../in")
    inside("jobs", "add", "j", "--folder", named, *EVERY)
    kept = tomllib.loads((root / "jobs" / "j.toml").read_text())["folders"]
    assert kept == (["elsewhere"] if named == "elsewhere" else [str(root.parent / "in")])  # a link is the archive's


def test_an_archive_that_is_reached_by_a_link_is_the_same(inside: Console, root: Path) -> None:
    (root / "inbox").mkdir()
    link = root.parent / "link"
    link.symlink_to(root)
    inside("--archive", str(link), "jobs", "add", "a", "--folder", "inbox", *EVERY)
    inside("--archive", "../link", "jobs", "add", "b", "--folder", str(link / "inbox"), *EVERY)
    for name in "ab":
        assert tomllib.loads((root / "jobs" / f"{name}.toml").read_text())["folders"] == ["inbox"]


OWN = [".", "warc", "jobs/runs", "../{archive}/log", "index"]


@pytest.mark.parametrize("named", OWN)
def test_an_archive_does_not_archive_itself(inside: Console, root: Path, named: str) -> None:
    named = named.replace("{archive}", root.name)
    assert "of the archive itself" in inside("jobs", "add", "j", "--folder", named, *EVERY, code=2).err
    assert not (root / "jobs" / "j.toml").exists()
    (root / "jobs").mkdir(exist_ok=True)
    (root / "jobs" / "j.toml").write_text(f'schedule = "every day"\nfolders = ["{root / named}"]\n')
    [source] = inside("jobs", "run", "j", "--json", code=3).json()["sources"]
    assert (source["new"], source["reasons"]) == (0, {"no-folder": 1})
    assert "of the archive itself" in source["error"]


@pytest.mark.parametrize("path", ["log/commits", "archive.toml", "warc/all.jsonl"])
def test_an_export_never_takes_the_place_of_what_the_archive_is(inside: Console, root: Path, path: str) -> None:
    assert "of the archive itself" in inside("jobs", "add", "j", "--export", path, *EVERY, code=2).err
    note_in(root.parent / "in")
    inside("add", "../in")
    before = {
        file: file.read_bytes() for name in ("log", "warc") for file in (root / name).rglob("*") if file.is_file()
    }
    (root / "jobs").mkdir(exist_ok=True)
    (root / "jobs" / "j.toml").write_text(f'schedule = "every day"\nexport = {{ path = "{path}", format = "jsonl" }}\n')
    [error] = inside("jobs", "run", "j", "--json", code=3).json()["errors"]
    assert "of the archive itself" in error
    assert {file: file.read_bytes() for file in before} == before
    assert "no findings" in inside("verify").err


@pytest.mark.parametrize("named", ["loop", "x" * 300, "file/in"])
def test_a_place_that_cannot_be_looked_at_is_told_and_the_others_are_done(
    inside: Console, root: Path, named: str
) -> None:
    (root / "loop").symlink_to("loop")
    (root / "file").write_text("no folder")
    note_in(root / "inbox")
    assert f"there is no list {named} yet" in inside("jobs", "add", "j", "--list", named, *EVERY, "--dry-run").err
    places = ("--folder", named, "--folder", "inbox", "--export", f"{named}/all.jsonl")
    assert f"there is no folder {named} yet" in inside("jobs", "add", "j", *places, *EVERY).err
    ran = inside("jobs", "run", "j", "--json", code=3).json()
    assert [(one["target"], one["new"], one["failed"]) for one in ran["sources"]][:2] == [
        (named, 0, 1),
        ("inbox", 1, 0),
    ]
    assert f"{named} is no folder, or cannot be read" in ran["sources"][0]["error"]
    assert not any("internal error" in error for error in ran["errors"])
    assert any(error.startswith("export: ") for error in ran["errors"])


@pytest.mark.parametrize(("option", "key"), [("--folder", "folders"), ("--list", "lists"), ("--export", "export.path")])
def test_an_empty_path_is_no_path(inside: Console, root: Path, option: str, key: str) -> None:
    assert f"{key}: " in inside("jobs", "add", "j", option, "", *EVERY, code=2).err
    assert not (root / "jobs").exists()


def test_a_path_is_one_of_the_users_home_where_it_says_so(
    inside: Console, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(root.parent / "ann"))
    inside("jobs", "add", "j", "--folder", "~/inbox", *EVERY)
    assert f'folders = ["{root.parent}/ann/inbox"]' in (root / "jobs" / "j.toml").read_text()


# ---- what is refused now, and not at night


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--list", "https://courier.example/list", *EVERY], "is an address, and no path: give it with --url"),
        (["--stamp", "--every", "@daily"], 'use --cron "@daily"'),
        (["--stamp", "--every", "0 */6 * * *"], 'use --cron "0 */6 * * *"'),
    ],
)
def test_what_belongs_to_another_option_is_told_to_which(inside: Console, words: list[str], said: str) -> None:
    assert said in inside("jobs", "add", "j", *words, code=2).err


def test_every_is_understood_in_front_of_the_time(inside: Console, root: Path) -> None:
    said = inside("jobs", "add", "j", "--stamp", "--every", "Every  2 days").err
    assert "there is no authority that stamps yet: name one under [stamp]" in said
    assert 'schedule = "every 2 days"' in (root / "jobs" / "j.toml").read_text()


@pytest.mark.parametrize(
    "words", [("add", "x", "--url", "http://a.example/", *EVERY), ("list",), (), ("show", "x"), ("pause", "x"), ("resume", "x"),
              ("remove", "x"), ("unit", "--cron"), ("status",), ("run", "--due"), ("run", "--forever"), ("alert", "--test")]
)  # fmt: skip
def test_there_are_no_jobs_where_there_is_no_archive(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = Console(None, tmp_path)("--archive", "nowhere", "jobs", *words, code=12)
    assert f"no archive in {tmp_path / 'nowhere'}" in done.err
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(("query", "said"), [("((", "nothing in these brackets"), (" ", "nothing to search for")])
def test_an_export_of_a_wrong_query_is_refused(inside: Console, root: Path, query: str, said: str) -> None:
    words = ("jobs", "add", "j", "--export", "../all.jsonl", "--export-query", query, *EVERY)
    refused = inside(*words, code=2).err
    assert refused.startswith("muniment: jobs/j.toml, line 6: export.query: ")
    assert said in refused
    (root / "jobs").mkdir(exist_ok=True)
    export = f'{{ path = "/srv/all.jsonl", format = "jsonl", query = "{query}" }}'
    (root / "jobs" / "j.toml").write_text(f'schedule = "every day"\nexport = {export}\n')
    for words in (("list",), ("status",), ("run", "j")):
        assert "jobs/j.toml, line 2: export.query: " in (said := inside("jobs", *words, code=None)).out + said.err


@pytest.mark.parametrize(
    "query", ["dam (flood OR gates)", "has:note", "is:withdrawn", "https://a.example/x?(y", "since:2020"]
)
def test_what_can_be_searched_for_can_be_exported(inside: Console, query: str) -> None:
    inside("export", "--format", "jsonl", "-o", "../by-hand.jsonl", "--query", query, code=1)  # the archive is empty
    inside("jobs", "add", "j", "--export", "../all.jsonl", "--export-query", query, *EVERY)
    assert inside("jobs", "run", "j", "--json").json()["exported"] == "nothing matched, and nothing was exported"
