"""`muniment jobs` as people, cron and monitoring call it."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_console import Console, environment, network
from prometheus_client.parser import text_string_to_metric_families

from demo.site import Site
from muniment.archive.archive import Archive, create
from muniment.jobs import keeping
from tests.conftest import NOW, fill

FEED = "http://tidewater-courier.example/feed.xml"
EVERY = ("--every", "6 hours")


def root_of(console: Console) -> Path:
    assert console.archive is not None
    return console.archive


def inbox(console: Console, *texts: str) -> Path:
    """A folder with files that have not changed for a while."""
    folder = console.cwd / "inbox"
    folder.mkdir(exist_ok=True)
    for i, text in enumerate(texts):
        (folder / f"{i}.txt").write_text(text)
        os.utime(folder / f"{i}.txt", (1, 1))
    return folder


# ---- jobs as texts


def test_a_job_is_made_checked_and_a_text_that_people_may_change(console: Console) -> None:
    folder = inbox(console, "A note about the dam. " * 9)
    tried = console("jobs", "add", "inbox", "--folder", "inbox", *EVERY, "--dry-run")
    assert tomllib.loads(tried.out) == {"schedule": "every 6 hours", "folders": [str(folder)]}
    assert not (root_of(console) / "jobs").exists()
    kept = console("jobs", "add", "inbox", "--folder", "inbox", *EVERY)
    assert kept.out == ""
    assert "inbox is kept: it runs at " in kept.err
    path = root_of(console) / "jobs" / "inbox.toml"
    assert path.read_text() == tried.out
    assert "already" in console("jobs", "add", "inbox", "--folder", "inbox", *EVERY, code=2).err
    described = console(
        "jobs", "add", "inbox", "--folder", "inbox", "--cron", "0 3 * * *", "--replace", "--json"
    ).json()
    assert (described["schedule"], described["targets"]) == ("0 3 * * *", {"folders": [str(folder)]})
    path.write_text(path.read_text() + "verify = 0\n")
    assert "jobs/inbox.toml, line 3: verify: " in console("jobs", "run", "inbox", code=2).err
    assert console("jobs", "list", "--json").json()["error"].startswith("jobs/inbox.toml, line 3: verify: ")
    assert "inbox  wrong jobs/inbox.toml, line 3" in console("jobs").out
    shown = console("jobs", "show", "inbox")
    assert "verify = 0" in shown.out
    assert "line 3: verify" in shown.err
    assert console("jobs", "status", code=3).out.startswith("inbox  wrong ")


def test_a_source_that_is_silent_is_news_and_no_failure(console: Console) -> None:
    console(
        "jobs", "add", "inbox", "--folder", inbox(console, "A note about the dam. " * 9), *EVERY, "--silent", "1 second"
    )
    console("jobs", "run", "inbox")
    time.sleep(2)
    console("jobs", "run", "inbox")
    told = console("jobs", "status", "--json").json()
    assert (told["healthy"], [alarm["kind"] for alarm in told["alarms"]]) == (True, ["source-silent"])


def test_every_setting_but_those_of_channels_has_an_option(console: Console) -> None:
    made = console(
        "jobs", "add", "all", "--dry-run", "--cron", "15 */6 * * *", "--timezone", "Europe/Paris", "--jitter", "9 minutes",
        "--folder", "/srv/in", "--feed", "https://a.example/f", "--feed", "https://a.example/g", "--sitemap", "https://a.example/",
        "--crawl", "https://a.example/c", "--url", "https://a.example/u", "--list", "/srv/list", "--search", "dams",
        "--verify", "1.5%", "--stamp", "--export", "/srv/{date}.warc.gz", "--export-query", "dam", "--source", "Courier",
        "--tag", "x", "--match", "*/a", "--exclude", "*/b", "--host", "b.example", "--requisites", "--limit", "5",
        "--depth", "2", "--delay", "0.5", "--max-time", "2 hours", "--free", "1GB", "--revisit-after", "3 hours",
        "--revisit-most", "9 days", "--budget", "7", "--silent", "2 days", "--overdue", "3 hours", "--resolve", "a.example:127.0.0.1:80",
        "--allow-private", "--paused",
    )  # fmt: skip
    assert tomllib.loads(made.out) == {
        "schedule": "15 */6 * * *", "timezone": "Europe/Paris", "jitter": "9 minutes", "paused": True,
        "folders": ["/srv/in"], "feeds": ["https://a.example/f", "https://a.example/g"], "sitemaps": ["https://a.example/"],
        "crawls": ["https://a.example/c"], "urls": ["https://a.example/u"], "lists": ["/srv/list"], "searches": ["dams"],
        "verify": "1.5%", "stamp": True, "export": {"path": "/srv/{date}.warc.gz", "format": "warc", "query": "dam"},
        "source": "Courier", "tags": ["x"], "match": ["*/a"], "exclude": ["*/b"], "hosts": ["b.example"],
        "requisites": True, "resolve": ["a.example:127.0.0.1:80"], "allow_private": True,
        "limits": {"pages": 5, "time": "2 hours", "depth": 2, "delay": 0.5, "free": "1GB"},
        "revisit": {"least": "3 hours", "most": "9 days", "budget": 7}, "alerts": {"silent": "2 days", "overdue": "3 hours"},
    }  # fmt: skip
    assert [line for line in made.err.splitlines() if "yet" in line] == made.err.splitlines()
    assert len(made.err.splitlines()) == 4  # the folder, the list, the authority and the search may come


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "say when"),
        ((*EVERY, "--cron", "0 3 * * *"), "say when"),
        (EVERY, "the job does nothing"),
        (("--stamp", "--every", "blue moon"), "jobs/a.toml, line 1: schedule: 'every blue moon' is no schedule"),
        (("--stamp", *EVERY, "--timezone", "Nowhere"), "line 2: timezone: "),
        (("--stamp", *EVERY, "--export-query", "dam"), "--export-query needs --export"),
        (("--stamp", *EVERY, "--no-revisit", "--budget", "3"), "--no-revisit leaves nothing"),
        (("--url", "gopher://a.example/", *EVERY), "urls: "),
    ],
)
def test_what_can_be_no_job_is_refused(console: Console, options: tuple[str, ...], said: str) -> None:
    assert said in console("jobs", "add", "a", *options, code=2).err
    assert not (root_of(console) / "jobs").exists()


def test_a_job_is_paused_resumed_and_removed(console: Console) -> None:
    console("jobs", "add", "a", "--folder", str(inbox(console)), "--cron", "* * * * *")
    assert console("jobs", "pause", "a", "--json").json()["paused"] is True
    assert re.search(r"^a  \* \* \* \* \*  paused +folders 1$", console("jobs", "list").out, re.M)
    assert "nothing is due" in console("jobs", "run", "--due").err
    assert console("jobs", "run", "a", "--json").json()["state"] == "done"  # by hand it runs all the same
    assert console("jobs", "resume", "a", "--json").json()["paused"] is False
    assert console("jobs", "remove", "a", "--json").json() == {"name": "a", "removed": True}
    for command in ("show", "pause", "resume", "remove", "run"):
        assert "there is no job 'a'" in console("jobs", command, "a", code=2).err
    assert list((root_of(console) / "jobs" / "runs" / "a").glob("*.json"))  # what it did stays told
    assert "there are no jobs" in console("jobs").err
    for words in (["status"], ["status", "--json"], ["run", "--due"]):  # who asks has jobs, or had them
        assert "there are no jobs in" in console("jobs", *words, code=2).err


@pytest.mark.parametrize(
    "words", [("run",), ("run", "a", "--due"), ("run", "--due", "--forever"), ("unit",), ("alert",), ("alert", "--test"),
              ("run", "--forever", "--stop-after", "2"), ("status", "--json", "--metrics", "-"), ("show",), ("remove", "../a")]
)  # fmt: skip
def test_a_wrong_call_says_what_is_wrong(console: Console, words: tuple[str, ...]) -> None:
    assert console("jobs", *words, code=2).err.strip()


# ---- runs


def test_a_run_is_reported_for_people_for_programs_and_kept(console: Console, site: Site) -> None:
    folder = inbox(console, "A note about the dam, and who built it. " * 9)
    (console.cwd / "list").write_text("http://rights-observer.example/reports/withdrawn-note\n")
    console("jobs", "add", "papers", "--feed", FEED, "--folder", folder, "--list", "list", "--delay", "0", "--verify", "100%",
            *EVERY, *network(site))  # fmt: skip
    report = console("jobs", "run", "papers", "--json", code=3).json()
    sources = {one["kind"]: one for one in report["sources"]}
    assert (report["state"], report["job"], report["by_hand"], report["errors"]) == ("partial", "papers", True, [])
    assert (sources["folder"]["new"], sources["folder"]["tried"]) == (1, 1)
    assert sources["feed"]["new"] >= 2
    assert sources["feed"]["tried"] == sources["feed"]["new"] + 1
    assert sources["feed"]["bytes"] > 1000
    assert (sources["list"]["failed"], sources["list"]["reasons"]) == (1, {"http-404": 1})
    assert "0 findings" in report["verified"]
    assert console("checkpoint").lines[1:3] == [str(report["log_size"]), report["root"]]
    again = console("jobs", "run", "papers", "--quiet")  # what is gone is not asked for again so soon
    assert (again.out, again.err) == ("", "")
    [first, second] = sorted((root_of(console) / "jobs" / "runs" / "papers").glob("*.json"))
    assert json.loads(first.read_bytes()) == report
    feed = {one["kind"]: one for one in json.loads(second.read_bytes())["sources"]}["feed"]
    assert (feed["new"], feed["tried"], feed["not_modified"] + feed["unchanged"]) == (0, 1, 1)
    assert first.with_suffix(".txt").read_text().startswith("papers: partial, run by hand at ")
    shown = console("jobs", "show", "papers", "--runs", "2")
    assert shown.out.count("papers: partial") == 1
    assert "1 http-404; such as:" in shown.out
    assert [run["run"] for run in console("jobs", "show", "papers", "--json").json()["runs"]][1] == report["run"]
    status = console("jobs", "status", code=3)
    assert "papers  ok       last " in status.out
    assert f"  failing  {console.cwd / 'list'}  nothing new yet; " in status.out
    told = console("jobs", "status", "--json", code=3).json()
    assert (told["healthy"], [one["health"] for one in told["jobs"][0]["sources"]]) == (False, ["ok", "ok", "failing"])
    assert "no findings" in console("verify").err
    assert [step["name"] for step in console("doctor", "--json", code=None).rows() if "file" in step["what"]] == []


def test_figures_for_prometheus_are_written_in_one_step(console: Console) -> None:
    console("jobs", "add", "a", "--folder", inbox(console), *EVERY)
    target = console.cwd / "textfile" / "muniment.prom"
    target.parent.mkdir()
    console("jobs", "run", "a", "--metrics", target)
    first = target.stat().st_ino
    console("jobs", "status", "--metrics", target)
    assert target.stat().st_ino != first  # another file in its place, and never half of one
    assert [path.name for path in target.parent.iterdir()] == ["muniment.prom"]
    families = {family.name: family for family in text_string_to_metric_families(target.read_text())}
    assert families["muniment_job_healthy"].samples[0].value == 1
    assert families["muniment_log_leaves"].samples[0].value == 0
    printed = console("jobs", "status", "--metrics", "-").out
    assert {family.name for family in text_string_to_metric_families(printed)} == set(families)
    assert "Is a directory" in console("jobs", "status", "--metrics", target.parent, code=14).err


def test_channels_are_tried(console: Console) -> None:
    console("jobs", "add", "a", "--folder", inbox(console), *EVERY)
    config = root_of(console) / "archive.toml"
    config.write_text(config.read_text() + f'\n[alerts]\ncommand = ["sh", "-c", "cat > {console.cwd}/told"]\n')
    assert console("jobs", "alert", "--test").out == "sent command\n"
    assert (console.cwd / "told").read_text().startswith("ALARM test: archive: this is a test")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        config.write_text(config.read_text() + f'webhook = "http://127.0.0.1:{closed.getsockname()[1]}/s3cret"\n')
    failed = console("jobs", "alert", "--test", "a", code=3)
    assert failed.out == "sent command\n"
    assert failed.err.startswith("failed webhook: 127.0.0.1: ")
    assert "s3cret" not in failed.err
    assert [row["sent"] for row in console("jobs", "alert", "--test", "--json", code=3).rows()] == [True, False]
    config.write_text(config.read_text() + "mails = 3\n")
    assert "archive.toml, [alerts]: mails: there is no such key" in console("jobs", "alert", "--test", code=2).err


def test_a_typo_in_the_alerts_is_told_first_and_keeps_nothing_from_being_run(console: Console) -> None:
    console("jobs", "add", "a", "--folder", inbox(console, "A note about the dam. " * 9), *EVERY)
    console("jobs", "add", "b", "--folder", "/nowhere/at-all", *EVERY)
    config = root_of(console) / "archive.toml"
    right = config.read_text() + f'\n[alerts]\ncommand = ["sh", "-c", "cat >> {console.cwd}/told"]\n'
    config.write_text(right + "mails = 3\n")
    done = console("jobs", "run", "a", "b", "--json", "--metrics", console.cwd / "figures", code=2)
    assert done.err.splitlines()[0].startswith("muniment: archive.toml, [alerts]: mails: there is no such key")
    assert [report["state"] for report in done.rows()] == ["done", "failed"]
    assert "muniment_job_healthy" in (console.cwd / "figures").read_text()
    config.write_text(right)
    console("jobs", "run", "--due")
    assert (console.cwd / "told").read_text().startswith("ALARM run-failed: b: ")  # it was not forgotten


def test_units_are_printed(console: Console) -> None:
    for kind in ("--systemd", "--cron", "--launchd"):
        assert str(root_of(console)) in console("jobs", "unit", kind).out
    unit = console("jobs", "unit", "--cron", "--minutes", "7", "--hours", "3", "--json").json()
    assert (unit["kind"], unit["command"][-3:]) == ("cron", ["run", "--due", "--quiet"])
    assert "\n*/7 * * * * " in unit["text"]


def test_of_two_calls_at_once_one_says_who_is_at_it(console: Console, site: Site) -> None:
    console("jobs", "add", "slow", "--feed", FEED, "--delay", "60", *EVERY, *network(site))
    running = console.spawn("jobs", "run", "slow")
    try:
        _until(lambda: keeping.state_of(root_of(console), "slow").running is not None)
        other = console("jobs", "run", "--due", code=11)
        assert f"jobs are being run by process {running.pid} on {socket.gethostname()} since " in other.err
        assert console("jobs", "status", "--json").json()["jobs"][0]["health"] == "running"
        running.send_signal(signal.SIGALRM)  # as --stop-after sends it
        assert running.wait(30) == 130
    finally:
        running.kill()
        running.communicate()
    assert keeping.state_of(root_of(console), "slow").running is not None
    assert "was cut off" in console("jobs", "status").out
    console("jobs", "add", "slow", "--feed", FEED, "--delay", "0", *EVERY, "--replace", *network(site))
    done = console("jobs", "run", "--due", "--json").json()
    assert (done["state"], done["resumed"]) == ("done", 1)


# ---- the disk


def words(count: int, seed: int) -> str:
    rng = random.Random(seed)
    return f"Report {seed} of the harbour\n\n" + " ".join(f"{rng.getrandbits(40):x}" for _ in range(count)) + ".\n"


def test_below_the_limit_nothing_is_added_and_the_run_waits_for_room(
    mount: Callable[[str], Path], tmp_path: Path
) -> None:
    disk = mount("80m")
    console = Console(create(disk / "archive", "test.example/log", NOW).root, tmp_path)
    folder = inbox(console, *(words(300, seed) for seed in range(3)))
    console("jobs", "add", "inbox", "--folder", folder, "--free", "60MB", "--cron", "* * * * *")
    (disk / "filler").write_bytes(b"x" * (30 << 20))
    for _ in range(6):  # more often than a run that dies is tried
        said = console("jobs", "run", "inbox", code=14)
        assert "are left on the disk" in said.err
    assert console("status", "--json").json()["snapshots"] == 0
    told = console("jobs", "status", "--json", code=3).json()
    assert {"disk-low", "run-stopped"} <= {alarm["kind"] for alarm in told["alarms"]}
    assert (told["healthy"], told["jobs"][0]["health"]) == (False, "stopped")
    assert "are left on the disk" in told["jobs"][0]["error"]
    (disk / "filler").unlink()
    done = console("jobs", "run", "--due", "--json").rows()[0]
    assert (done["state"], done["resumed"], done["sources"][0]["new"]) == ("done", 1, 3)
    told = console("jobs", "status", "--json", code=3).json()  # less than the 1G of [alerts] is free all the same
    assert [alarm["kind"] for alarm in told["alarms"]] == ["disk-low"]
    assert (told["healthy"], told["jobs"][0]["health"]) == (False, "ok")
    config = root_of(console) / "archive.toml"
    config.write_text(config.read_text() + "\n[alerts]\ndisk = 0\n")
    console("jobs", "add", "inbox", "--folder", folder, "--free", "0", "--cron", "* * * * *", "--replace")
    console("jobs", "run", "inbox")
    assert console("jobs", "status", "--json").json()["healthy"] is True


@pytest.mark.parametrize("size", ["1700k", "2m"])
def test_a_disk_that_becomes_full_in_the_middle_loses_nothing(
    mount: Callable[[str], Path], tmp_path: Path, size: str
) -> None:
    disk = mount(size)
    console = Console(create(disk / "archive", "test.example/log", NOW).root, tmp_path)
    folder = inbox(console, *(words(5000, seed) for seed in range(24)))
    console("jobs", "add", "inbox", "--folder", folder, "--free", "0", "--cron", "* * * * *")
    first = console("jobs", "run", "inbox", code=14)
    assert "everything acknowledged is stored" in first.err
    console("jobs", "run", "inbox", code=14)
    subprocess.run(["mount", "-o", "remount,size=200m", disk], check=True)
    with Archive(root_of(console)) as archive:
        held = archive.progress.articles
    assert 0 < held <= 24  # the index may be what lacks room
    assert {
        finding["finding"] for finding in console("verify", "--json", code=None).rows() if "finding" in finding
    } <= {"uncommitted"}
    done = console("jobs", "run", "--due", "--json").rows()[0]  # a minute later there is one more
    assert (done["state"], done["errors"]) == ("done", [])
    with Archive(root_of(console)) as archive:
        assert archive.progress.articles == 24
    assert "no findings" in console("verify").err
    assert console("search", "harbour", "--json").json()["total"] == 24


IMPATIENT = """
import sys
from muniment.cli import run
from muniment.jobs import due
due.LONGEST_SLEEP = 1.0
sys.exit(run(["jobs", "run", "--forever"]))
"""


def test_who_runs_forever_goes_on_by_himself_when_there_is_room(mount: Callable[[str], Path], tmp_path: Path) -> None:
    disk = mount("80m")
    console = Console(create(disk / "archive", "test.example/log", NOW).root, tmp_path)
    folder = inbox(console, *(words(300, seed) for seed in range(3)))
    console("jobs", "add", "inbox", "--folder", folder, "--free", "60MB", "--every", "1 second")
    (disk / "filler").write_bytes(b"x" * (30 << 20))
    with (tmp_path / "said").open("wb") as said:
        running = subprocess.Popen([sys.executable, "-c", IMPATIENT], env=environment(root_of(console)), stderr=said)
        try:
            _until(lambda: b"are left on the disk" in (tmp_path / "said").read_bytes())
            (disk / "filler").unlink()
            _until(lambda: bool(keeping.reports(root_of(console), "inbox", 1)))
            running.terminate()
            assert running.wait(30) == 130
        finally:
            running.kill()
            running.communicate()
    assert console("status", "--json").json()["snapshots"] == 3


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_verify_that_finds_something_is_a_failure_with_an_alarm(console: Console) -> None:
    fill(root_of(console), 3)
    console("reindex")
    console("jobs", "add", "check", "--verify", "100%", *EVERY)
    assert "0 findings" in console("jobs", "run", "check").out
    [segment] = (root_of(console) / "warc").rglob("*.gz")
    whole = segment.read_bytes()
    segment.write_bytes(whole[:700] + bytes([whole[700] ^ 1]) + whole[701:])
    found = console("jobs", "run", "check", code=3)
    assert "check: failed" in found.out
    assert "  finding: digest-mismatch: #" in found.out
    assert "alarm verify check: " in found.err
    assert "check  failing" in console("jobs", "status", code=3).out


def test_the_doctor_knows_jobs_that_are_not_done(console: Console) -> None:
    console("jobs", "add", "late", "--folder", inbox(console), "--cron", "* * * * *")
    state = keeping.State(made="2026-01-01T00:00:00Z")
    keeping.keep_state(root_of(console), "late", state)
    (root_of(console) / "jobs" / "odd.toml").write_text("schedule = 3\n")
    steps = {step["name"]: step for step in console("doctor", "--json").rows()}
    assert steps["jobs-overdue"]["what"] == "nobody runs what is due: late"
    assert steps["job-wrong"]["what"].startswith("jobs/odd.toml, line 1: schedule: ")
    config = root_of(console) / "archive.toml"
    config.write_text(config.read_text() + "\n[alerts]\nmails = 3\n")
    assert "mails" in {step["name"]: step for step in console("doctor", "--json").rows()}["alerts"]["what"]
