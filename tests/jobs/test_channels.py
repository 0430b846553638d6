"""Real channels: a command, a web server, a mail server, each on loopback; and such as hang, refuse and lie."""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from muniment.jobs import channels
from muniment.jobs.alerts import Alerts
from muniment.jobs.channels import PartlyDelivered, Undelivered, deliver, ping
from muniment.jobs.conditions import Alarm
from muniment.jobs.messages import message
from tests.jobs.mailbox import Mailbox

ALARM = Alarm("disk-low", "courier", "", "3 MiB are left", "2026-01-02T03:04:05Z")
MESSAGE = message("test.example/log", "courier", [ALARM], ["new for dams: #7 سد اروان"])


class Hook(ThreadingHTTPServer):
    """A web server that notes what it is asked for; `/to/…` redirects, `/500` fails, `/drip` never ends, nor does what
    `/taken` says after it took something; `/flood/…` redirects with a body without end."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.ended = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Hook

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path, dict(self.headers), body))
        if self.path == "/drip":
            for byte in b"HTTP/1.0 200 OK\r\nX: " + b"x" * 10_000:
                if self.server.ended.wait(0.05):
                    return
                self.wfile.write(bytes([byte]))
        if self.path == "/taken":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"ff\r\nhalf")
            self.server.ended.wait(10)
            return
        if self.path.startswith("/flood/"):
            self.wfile.write(f"HTTP/1.0 302 Found\r\nLocation: {self.path[6:]}\r\n\r\n".encode())
            with suppress(OSError):
                while not self.server.ended.is_set():
                    self.wfile.write(b"x" * 65536)
            return
        self.send_response(302 if self.path.startswith("/to/") else 500 if self.path == "/500" else 200)
        if self.path.startswith("/to/"):
            self.send_header("Location", self.path[3:])
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.ended.set()
        server.shutdown()


# ---- a command


def test_a_command_gets_the_text_on_its_input_and_the_json_in_a_variable(tmp_path: Path) -> None:
    to = Alerts(command=("sh", "-c", f'cat > {tmp_path}/text; printf %s "$MUNIMENT_ALERT" > {tmp_path}/json'))
    deliver("command", to, MESSAGE)
    assert (tmp_path / "text").read_text() == "ALARM disk-low: courier: 3 MiB are left\nnew for dams: #7 سد اروان\n"
    assert json.loads((tmp_path / "json").read_text()) == MESSAGE


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("sh", "-c", "echo no line to the pager >&2; exit 3"), "the command sh ended with 3: no line to the pager"),
        (("/nowhere/at-all",), "the command /nowhere/at-all: No such file or directory"),
    ],
)
def test_a_command_that_fails_says_why(command: tuple[str, ...], said: str) -> None:
    with pytest.raises(Undelivered) as caught:
        deliver("command", Alerts(command=command), MESSAGE)
    assert str(caught.value) == said


def test_a_command_that_reads_nothing_and_prints_much_is_no_failure() -> None:
    deliver(
        "command", Alerts(command=("sh", "-c", "head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2")), MESSAGE
    )


def test_a_command_that_hangs_is_ended_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "TIMEOUT", 0.5)
    began = time.monotonic()
    with pytest.raises(Undelivered, match="no end after"):
        deliver("command", Alerts(command=("sh", "-c", f"sleep 60 & echo $! > {tmp_path}/child; wait")), MESSAGE)
    assert time.monotonic() - began < 10
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 10
    while _lives(child):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_very_many_alarms_still_fit_into_the_variable_and_into_a_letter(tmp_path: Path) -> None:
    many = [Alarm("source-overdue", "courier", f"https://{i}.example/", "خبر " * 2_000) for i in range(500)]
    sent = message("test.example/log", "courier", many, ["خبر\n" * 1_000] * 500)
    deliver("command", Alerts(command=("sh", "-c", f'printf %s "$MUNIMENT_ALERT" > {tmp_path}/json')), sent)
    got = json.loads((tmp_path / "json").read_text())
    assert got["raised"][0]["about"] == "https://0.example/"
    assert sent["more"] == 900
    assert len(sent["text"].encode()) < 200_000
    assert sent["text"].splitlines()[-1].startswith("and 900 more")


# ---- an address


def test_a_webhook_gets_the_json(hook: Hook) -> None:
    deliver("webhook", Alerts(webhook=f"{hook.url}/hook?key=s3cret"), MESSAGE)
    [(method, path, headers, body)] = hook.asked
    assert (method, path, headers["Content-Type"]) == ("POST", "/hook?key=s3cret", "application/json")
    assert headers["User-Agent"].startswith("muniment/")
    assert json.loads(body) == MESSAGE


@pytest.mark.parametrize(
    ("path", "said"), [("/500?s3cret", "answers 200"), ("/500", "answers 500"), ("/to/x", "answers 302; name")]
)
def test_what_a_webhook_answers_counts(hook: Hook, path: str, said: str) -> None:
    if said == "answers 200":
        deliver("webhook", Alerts(webhook=hook.url + path), MESSAGE)
        return
    with pytest.raises(Undelivered, match=said):
        deliver("webhook", Alerts(webhook=hook.url + path), MESSAGE)
    assert len(hook.asked) == 1


def test_a_ping_follows_where_it_is_led(hook: Hook) -> None:
    ping(f"{hook.url}/to/alive")
    assert [(method, path) for method, path, _, _ in hook.asked] == [("GET", "/to/alive"), ("GET", "/alive")]


def test_no_failure_names_the_address_itself_which_may_be_a_secret(hook: Hook) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = closed.getsockname()[1]
    for base in (f"http://127.0.0.1:{nobody}", f"{hook.url}/to", "http://nosuch.invalid"):
        with pytest.raises(Undelivered) as caught:
            deliver("webhook", Alerts(webhook=f"{base}/s3cret-path"), MESSAGE)
        assert "s3cret" not in str(caught.value)


def test_a_server_that_drips_is_left(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "TIMEOUT", 0.3)
    began = time.monotonic()
    with pytest.raises(Undelivered, match=r"127\.0\.0\.1: no end after"):
        ping(f"{hook.url}/drip")
    assert time.monotonic() - began < 10


def test_what_was_taken_is_not_told_again_for_what_is_said_afterwards(hook: Hook) -> None:
    began = time.monotonic()
    deliver("webhook", Alerts(webhook=f"{hook.url}/taken"), MESSAGE)
    ping(f"{hook.url}/taken")
    assert time.monotonic() - began < 5


def test_a_redirect_that_has_no_end_is_followed(hook: Hook) -> None:
    began = time.monotonic()
    ping(f"{hook.url}/flood/alive")
    assert [path for _, path, _, _ in hook.asked] == ["/flood/alive", "/alive"]
    assert time.monotonic() - began < 5


# ---- a mail server


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost that signs itself, and its key."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("certificate")
    plain = serialization.NoEncryption()
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    return folder / "cert.pem", folder / "key.pem"


def context(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(*certificate)
    return made


def settings(server: Mailbox, **more: Any) -> Alerts:
    email = {
        "host": "localhost",
        "port": server.port,
        "from": "archive@a.example",
        "to": ["ann@b.example", "bo@c.example"],
    }
    return Alerts(email={**email, **more})


def test_a_letter_says_what_is_wrong_and_of_which_archive() -> None:
    with Mailbox() as server:
        deliver("email", settings(server), MESSAGE)
    [letter] = server.letters
    assert letter.recipients == ["ann@b.example", "bo@c.example"]
    assert letter.message["Subject"] == "[muniment] test.example/log: courier: disk-low"
    assert letter.message["Date"]
    assert letter.message["Message-ID"]
    assert letter.message.get_content().splitlines() == [
        "ALARM disk-low: courier: 3 MiB are left", "new for dams: #7 سد اروان",
    ]  # fmt: skip


@pytest.mark.parametrize("way", ["tls", "starttls"])
def test_a_letter_and_a_password_cross_the_network_encrypted(
    way: str, certificate: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    (tmp_path / "password").write_text("s3cret\n")
    with Mailbox(context(certificate), way=way, password="s3cret") as server:
        deliver("email", settings(server, user="ann", password_file=str(tmp_path / "password"), **{way: True}), MESSAGE)
    assert [letter.encrypted for letter in server.letters] == [True]


@pytest.mark.parametrize("way", ["tls", "starttls"])
def test_no_letter_goes_to_a_server_whose_certificate_nobody_vouches_for(
    way: str, certificate: tuple[Path, Path]
) -> None:
    with (
        Mailbox(context(certificate), way=way) as server,
        pytest.raises(Undelivered, match=r"localhost: .*certificate"),
    ):
        deliver("email", settings(server, **{way: True}), MESSAGE)
    assert server.letters == []


def test_a_wrong_password_is_told_and_not_named(
    certificate: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    (tmp_path / "password").write_text("s3cret-and-wrong")
    with Mailbox(context(certificate), way="tls", password="other") as server:
        to = settings(server, user="ann", password_file=str(tmp_path / "password"), tls=True)
        with pytest.raises(Undelivered) as caught:
            deliver("email", to, MESSAGE)
        assert "localhost: " in str(caught.value)
        assert "s3cret" not in str(caught.value)
        missing = settings(server, user="ann", password_file=str(tmp_path / "nothing"), tls=True)
        with pytest.raises(Undelivered, match="No such file"):
            deliver("email", missing, MESSAGE)
    assert server.letters == []


def test_a_mail_server_that_says_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        to = Alerts(email={"host": "127.0.0.1", "port": silent.getsockname()[1], "from": "a@b", "to": "c@d"})
        began = time.monotonic()
        with pytest.raises(Undelivered):
            deliver("email", to, MESSAGE)
        assert time.monotonic() - began < 10


def test_a_mail_server_that_refuses_is_told() -> None:
    with Mailbox(refuses=("example",)) as server, pytest.raises(Undelivered, match="554"):
        deliver("email", settings(server), MESSAGE)


def test_a_letter_that_was_taken_is_not_sent_again_for_what_is_said_to_its_end() -> None:
    with Mailbox(bye="421 too many letters") as server:
        deliver("email", settings(server), MESSAGE)
        assert len(server.letters) == 1


def test_whom_a_mail_server_refuses_is_told_though_others_got_the_letter() -> None:
    with Mailbox(refuses=("c.example",)) as server:
        with pytest.raises(PartlyDelivered, match=r"takes nothing for bo@c\.example \(554 nobody here"):
            deliver("email", settings(server), MESSAGE)
        assert [letter.recipients for letter in server.letters] == [["ann@b.example"]]


def test_what_a_mail_server_says_at_length_is_told_in_short() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def talk() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                connection.sendall(b"554-no and no\r\n" * 20_000 + b"554 no\r\n")
                connection.recv(1000)

        threading.Thread(target=talk, daemon=True).start()
        email = {"host": "127.0.0.1", "port": server.getsockname()[1], "from": "a@b.example", "to": ["c@d.example"]}
        with pytest.raises(Undelivered, match="no and no") as caught:
            deliver("email", Alerts(email=email), MESSAGE)
    assert len(str(caught.value)) <= 500


def test_a_command_that_says_very_much_fills_neither_disk_nor_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It writes into a pipe of which the end is kept; and it ends all the same, and says why."""
    code = "import os,stat,sys; w=sys.stderr.buffer.write; [w(b'x' * 65536) for _ in range(320)]; w(b'\\nat last\\n')"
    code += "; sys.exit(3 + stat.S_ISREG(os.fstat(2).st_mode))"
    with pytest.raises(Undelivered, match=r"ended with 3: at last$"):
        deliver("command", Alerts(command=(sys.executable, "-c", code)), MESSAGE)


def test_what_a_command_leaves_behind_is_not_waited_for() -> None:
    began = time.monotonic()
    with pytest.raises(Undelivered, match="ended with 1: no way"):
        deliver("command", Alerts(command=("sh", "-c", "sleep 15 & echo no way >&2; exit 1")), MESSAGE)
    assert time.monotonic() - began < 10


def test_a_mail_server_that_never_comes_to_an_end_is_left() -> None:
    """`220-` again and again: each line would be held in memory, in a thread that is left behind."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        sent = []

        def talk() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                while True:
                    sent.append(connection.send(b"220-and one more thing\r\n" * 1000))

        talking = threading.Thread(target=talk, daemon=True)
        talking.start()
        email = {"host": "127.0.0.1", "port": server.getsockname()[1], "from": "a@b.example", "to": ["c@d.example"]}
        with pytest.raises(Undelivered):
            deliver("email", Alerts(email=email), MESSAGE)
        talking.join(5)
        assert not talking.is_alive() and sum(sent) < 64 << 20


def test_a_job_whose_name_holds_a_line_end_is_told_by_mail() -> None:
    with Mailbox() as mailbox:
        email = {"host": "127.0.0.1", "port": mailbox.port, "from": "a@b.example", "to": ["c@d.example"]}
        deliver("email", Alerts(email=email), message("test.example/log", "a\nBcc: x@y.example", [ALARM], []))
    assert mailbox.letters[0].message["Subject"].endswith("a Bcc: x@y.example: disk-low")
    assert mailbox.letters[0].message["Bcc"] is None
