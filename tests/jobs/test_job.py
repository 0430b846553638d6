"""jobs/NAME.toml: every key, and every mistake named with its line."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from muniment.errors import UsageError
from muniment.jobs import keeping
from muniment.jobs.alerts import alerts_of
from muniment.jobs.job import KEYS, TARGETS, Export, Limits, Revisit, format_job, parse_job

EVERYTHING = """\
# The paper of the port.
schedule = "15 */6 * * *"   # when nobody prints
timezone = "Europe/Paris"
jitter = "10 minutes"
paused = true
folders = ["/srv/in"]
feeds = ["https://courier.example/feed", "https://courier.example/world"]
sitemaps = ["https://courier.example/"]
crawls = ["https://courier.example/archive/"]
urls = ["https://courier.example/about"]
lists = ["lists/courier.txt"]
searches = ["dams"]
verify = "1.5%"
stamp = true
source = "Courier"
tags = ["courier", "port"]
match = ["*/20*"]
exclude = ["*/sport/*"]
hosts = ["cdn.courier.example"]
browser = true
resolve = ["courier.example:127.0.0.1:8080"]
allow_private = true

[export]
path = "/srv/out/{date}.wacz"
query = "source:Courier"

[limits]
pages = 500
time = "2 hours"
depth = 4
delay = 2.5
free = "500MB"

[revisit]
least = "3 hours"
most = "30 days"
budget = 50

[alerts]
silent = "2 days"
overdue = "2 hours"
command = ["logger", "-t", "muniment"]
webhook = "https://chat.example/hook"
ping = "https://deadman.example/1"

[alerts.email]
host = "mail.example"
port = 587
from = "archive@courier.example"
to = ["ann@courier.example"]
starttls = true
user = "ann"
password_file = "/etc/muniment/mail"
"""


def test_every_key_of_a_job_is_read() -> None:
    job = parse_job("courier", EVERYTHING)
    assert (job.name, job.schedule.text, job.schedule.zone.key) == ("courier", "15 */6 * * *", "Europe/Paris")
    assert (job.schedule.jitter, job.paused) == (timedelta(minutes=10), True)
    assert job.feeds == ("https://courier.example/feed", "https://courier.example/world")
    assert (job.folders, job.lists, job.searches) == (("/srv/in",), ("lists/courier.txt",), ("dams",))
    assert (job.verify, job.stamp, job.browser, job.allow_private) == (0.015, True, True, True)
    assert (job.source, job.tags, job.hosts) == ("Courier", ("courier", "port"), ("cdn.courier.example",))
    assert job.export == Export("/srv/out/{date}.wacz", "wacz", "source:Courier")
    assert job.limits == Limits(500, timedelta(hours=2), 4, 2.5, 500 << 20)
    assert job.revisit == Revisit(timedelta(hours=3), timedelta(days=30), 50)
    assert list(job.resolve) == ["courier.example"]
    told = alerts_of({"disk": "2G", "overdue": "9 hours"}, job)
    assert (told.silent, told.overdue, told.disk) == (timedelta(days=2), timedelta(hours=2), 2 << 30)
    assert told.command == ("logger", "-t", "muniment")
    assert told.email["to"] == ["ann@courier.example"]
    missing = [
        key for key in KEYS if key != "requisites" and f"\n{key} = " not in EVERYTHING and f"[{key}]" not in EVERYTHING
    ]
    assert missing == []


def test_what_is_not_said_is_as_the_documents_tell() -> None:
    job = parse_job("a", 'schedule = "every 6 hours"\nfeeds = "https://courier.example/feed"\n')
    assert job.feeds == ("https://courier.example/feed",)
    assert (job.schedule.zone.key, job.limits, job.revisit) == ("UTC", Limits(), Revisit())
    assert job.limits.free == 200 << 20
    assert parse_job("a", 'schedule = "every day"\nstamp = true\nrevisit = false\n').revisit is None
    assert parse_job("a", 'schedule = "every day"\nstamp = true\nrevisit.least = "90 days"\n').revisit == Revisit(
        timedelta(days=90), timedelta(days=90)
    )


FINE = 'schedule = "every 6 hours"\nfeeds = ["https://courier.example/feed"]\n'


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ('feeds = ["https://a.example/"]\n', None, "schedule"),
        ('schedule = "every 6 hours"\n', 1, "schedule"),
        ('schedule = "every 6 parsecs"\nstamp = true', 1, "schedule"),
        ('schedule = "61 * * * *"\nstamp = true', 1, "schedule"),
        ('schedule = "0 0 31 2 *"\nstamp = true', 1, "schedule"),
        ('schedule = "every 999999 weeks"\nstamp = true', 1, "schedule"),
        ('schedule = 6\nstamp = true', 1, "schedule"),
        (FINE + 'timezone = "Mars/Olympus"', 3, "timezone"),
        (FINE + 'timezone = "../../etc/passwd"', 3, "timezone"),
        (FINE + 'timezone = ""', 3, "timezone"),
        (FINE + 'timezone = "localtime"', 3, "timezone"),
        (FINE + 'jitter = "soon"', 3, "jitter"),
        (FINE + 'jitter = "999999 weeks"', 3, "jitter"),
        (FINE + 'paused = "yes"', 3, "paused"),
        (FINE + 'sitemap = ["https://a.example/"]', 3, "sitemap"),
        ('schedule = "every day"\nfeeds = [\n  "https://a.example/",\n  "gopher://b.example/",\n]', 2, "feeds"),
        ('schedule = "every day"\nurls = [1]', 2, "urls"),
        (FINE + "verify = 0", 3, "verify"),
        (FINE + "verify = true", 3, "verify"),
        (FINE + 'verify = "101%"', 3, "verify"),
        (FINE + 'verify = "0.0%"', 3, "verify"),
        (FINE + 'stamp = "yes"', 3, "stamp"),
        (FINE + 'resolve = ["courier.example"]', 3, "resolve"),
        (FINE + "browser = true\nrequisites = true", 4, "requisites"),
        (FINE + "limits = 3", 3, "limits"),
        (FINE + "limits = { pages = 0 }", 3, "limits.pages"),
        (FINE + "[limits]\ndepth = 2\npages = 0", 5, "limits.pages"),
        (FINE + "[limits]\ndepth = -1", 4, "limits.depth"),
        (FINE + "[limits]\ndelay = nan", 4, "limits.delay"),
        (FINE + "[limits]\ndelay = -0.1", 4, "limits.delay"),
        (FINE + '[limits]\nfree = "much"', 4, "limits.free"),
        (FINE + "[limits]\nfree = -1", 4, "limits.free"),
        (FINE + '[limits]\ntime = "2 fortnights"', 4, "limits.time"),
        (FINE + "[limits]\nmemory = 2", 4, "limits.memory"),
        (FINE + "limits.delay = 1\nlimits.pages = 0", 4, "limits.pages"),
        (FINE + "[ limits ]  # of a run\n'pages'=0", 4, "limits.pages"),
        (FINE + 'folders = ["in", "a\\u0000b"]', 3, "folders"),
        (FINE + 'lists = ["~/lists/a.txt"]', 3, "lists"),
        (FINE + '[export]\npath = "~/all.jsonl"\nformat = "jsonl"', 4, "export.path"),
        (FINE + "paused = true\nfeeds = []", 4, "feeds"),
        (FINE + "[limits]\npages = 1\npages = 2", 5, "pages"),
        (FINE + "revisit = 3", 3, "revisit"),
        (FINE + '[revisit]\nleast = "2 days"\nmost = "1 day"', 5, "revisit.most"),
        (FINE + "[revisit]\nbudget = -1", 4, "revisit.budget"),
        (FINE + "[revisit]\npages = 1", 4, "revisit.pages"),
        (FINE + '[export]\nformat = "wacz"', 3, "export.path"),
        (FINE + '[export]\npath = "/srv/x.zip"', 4, "export.path"),
        (FINE + '[export]\npath = "/srv/{day}.wacz"', 4, "export.path"),
        (FINE + '[export]\npath = "/srv/x.wacz"\nformat = "pdf"', 5, "export.format"),
        (FINE + '[limits]\ndelay = 1\n[alerts]\ndelay = 2', 6, "alerts.delay"),
        (FINE + '[alerts]\nwebhook = "chat.example/hook"', 4, "alerts.webhook"),
        (FINE + '[alerts]\nping = "https://ann:s3cret@deadman.example/"', 4, "alerts.ping"),
        (FINE + '[alerts]\nping = "https:// x"', 4, "alerts.ping"),
        (FINE + '[alerts]\nping = "https://a.example:99999/"', 4, "alerts.ping"),
        (FINE + '[alerts]\ncommand = "notify-send"', 4, "alerts.command"),
        (FINE + '[alerts]\nemail = { host = "m.example", to = ["a@b.example"] }', 4, "alerts.email.from"),
        (FINE + '[alerts.email]\nhost = "m.example"\nfrom = "a@b.example"\nto = []', 6, "alerts.email.to"),
        (FINE + '[alerts.email]\nhost = "m.example"\nfrom = "a@b\\nBcc: x"\nto = "c@d"', 5, "alerts.email.from"),
        (FINE + '[alerts.email]\nhost = "m"\nfrom = "a@b"\nto = "c@d"\nport = "25"', 7, "alerts.email.port"),
        (FINE + '[alerts.email]\nhost = "m"\nfrom = "a@b"\nto = "c@d"\ntls = 1', 7, "alerts.email.tls"),
        (FINE + '[alerts.email]\nhost = "m"\nfrom = "a@b"\nto = "c@d"\nuser = "a"', 7, "alerts.email.user"),
        (
            FINE + '[alerts.email]\nhost = "m"\nfrom = "a@b"\nto = "c@d"\nuser = "a"\npassword_file = "p"',
            7,
            "alerts.email.user",
        ),
        ("\ufeff# with a mark of order\n" + FINE + "verify = 0", 4, "verify"),
        (FINE.replace("\n", "\r\n") + "verify = 0\r\n", 3, "verify"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line_and_key(text: str, line: int | None, key: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_job("courier", text)
    where = "jobs/courier.toml: " if line is None else f"jobs/courier.toml, line {line}: "
    assert str(caught.value).startswith(f"{where}{key}: ")


@pytest.mark.parametrize(
    ("text", "meant"),
    [('shedule = "every day"', "schedule"), ('Schedule = "every day"', "schedule"), ('feed = "https://a.example/"', "feeds"),
     ("limits = { page = 1 }", "pages"), ('[revisit]\nleats = "1 day"', "least"), ('[alerts]\nweb_hook = "x"', "webhook")],
)  # fmt: skip
def test_a_key_that_is_near_another_is_told_which(text: str, meant: str) -> None:
    with pytest.raises(UsageError, match=rf"there is no such key: did you mean {meant}\?$"):
        parse_job("courier", f"{FINE.splitlines()[0]}\nstamp = true\n{text}" if "chedule" not in text else text)


@pytest.mark.parametrize("text", ["schedule = every day", FINE + "feeds = []", 'schedule = "a\nb"'])
def test_what_is_no_toml_is_named_with_its_line(text: str) -> None:
    with pytest.raises(UsageError, match=r"jobs/courier\.toml, line \d: (schedule|feeds): "):
        parse_job("courier", text)


def test_a_job_that_was_made_is_read_as_it_was_meant() -> None:
    text = format_job({
        "schedule": "every 6 hours", "feeds": ("https://a.example/\u200fx",), "source": 'The "Courier" \\ é', "stamp": True,
        "tags": ("one", "two"), "limits": {"delay": 0.5, "pages": 3}, "revisit": False,
        "alerts": {"silent": "2 days", "email": {"host": "m", "from": "a@b", "to": ["c@d"]}},
    })  # fmt: skip
    job = parse_job("a", text)
    assert (job.source, job.tags, job.limits.pages, job.revisit) == ('The "Courier" \\ é', ("one", "two"), 3, None)
    assert alerts_of({}, job).email["host"] == "m"


# ---- the files


@pytest.mark.parametrize("name", ["", "a b", "../x", "-a", "a.b", ".a", "a" * 65, "a/b", "a\n", "x\0"])
def test_what_is_no_name_is_refused(root: Path, name: str) -> None:
    for ask in (keeping.read, keeping.remove, keeping.state_of):
        with pytest.raises(UsageError, match="no name for a job"):
            ask(root, name)
    with pytest.raises(UsageError, match="no name for a job"):
        keeping.write(root, name, FINE)
    assert not (root / "jobs").exists()


def test_pausing_changes_one_line_and_keeps_what_people_wrote(root: Path) -> None:
    text = EVERYTHING.replace("paused = true\n", "")
    keeping.write(root, "courier", text)
    keeping.set_paused(root, "courier", True)
    paused = keeping.text_of(root, "courier")
    assert keeping.read(root, "courier").paused
    assert [line for line in paused.splitlines() if line not in text.splitlines()] == ["paused = true"]
    assert "# when nobody prints" in paused
    keeping.set_paused(root, "courier", True)
    assert keeping.text_of(root, "courier") == paused
    keeping.set_paused(root, "courier", False)
    assert keeping.text_of(root, "courier") == text


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_file_of_another_editor_is_paused_as_well(root: Path, mark: str) -> None:
    (root / "jobs").mkdir()
    path = root / "jobs" / "a.toml"
    path.write_bytes((mark + FINE + "\n[limits]\npages = 3").replace("\n", "\r\n").encode())
    keeping.set_paused(root, "a", True)
    assert keeping.read(root, "a").paused
    assert keeping.read(root, "a").limits.pages == 3
    assert path.read_bytes().count(b"\r\n") == path.read_bytes().count(b"\n")


def test_a_wrong_text_leaves_the_job_as_it_was(root: Path) -> None:
    keeping.write(root, "a", FINE)
    with pytest.raises(UsageError, match="line 3"):
        keeping.write(root, "a", FINE + "verify = 0")
    assert keeping.text_of(root, "a") == FINE


def test_a_link_or_a_file_that_is_no_text_is_refused_by_name(root: Path, tmp_path: Path) -> None:
    (root / "jobs").mkdir()
    (tmp_path / "elsewhere.toml").write_text(FINE)
    (root / "jobs" / "linked.toml").symlink_to(tmp_path / "elsewhere.toml")
    (root / "jobs" / "latin.toml").write_bytes(b'# caf\xc3\xa9\nschedule = "\xe9"')
    (root / "jobs" / "folder.toml").mkdir()
    for name, said in (("linked", " cannot be read: it is a link"), ("latin", ", line 2: this is no UTF-8"),
                       ("folder", " cannot be read: it is a folder")):  # fmt: skip
        with pytest.raises(UsageError, match=rf"jobs/{name}\.toml{said}"):
            keeping.read(root, name)


def test_there_is_a_target_for_everything_that_can_be_a_jobs(root: Path) -> None:
    for target in TARGETS:
        assert target in KEYS
