"""No way of writing or answering leads a fetch to an address that is not public."""

from __future__ import annotations

import ipaddress
import random
import socket
from collections.abc import Callable

import pytest
from rawserver import RawServer, redirect, response

from muniment.errors import FetchError, UsageError
from muniment.ingest.address import Endpoint, is_public, parse_override, resolve
from muniment.ingest.fetch import Fetcher
from muniment.model import Attempt, Capture

PUBLIC = "93.184.216.34"

CLOSED = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "169.254.0.1",
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1",
    "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1",
    "255.255.255.255", "168.63.129.16", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:169.254.169.254", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:2::1", "2001:10::1", "2001:db8::1", "2002:7f00:1::",
    "2002:5db8:d822::",
    "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "2606:4700::1111%1", "fec0::1",
    "ff02::1", "4000::1", "", "localhost", "127.1", "0x7f.0.0.1", "2130706433", "1.2.3",
]  # fmt: skip
OPEN = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1",
    "192.0.1.1", "192.167.1.1", "198.17.0.1", "198.20.0.1", "223.255.255.255", PUBLIC, "2606:4700::1111",
    "2a00:1450:4001::200e", "2003::1", "::ffff:8.8.8.8", "64:ff9b::808:808",
]  # fmt: skip

SPELLINGS = [
    "http://127.0.0.1/", "http://localhost/", "http://127.1/", "http://2130706433/", "http://0x7f000001/",
    "http://0x7f.1/", "http://0177.0.0.1/", "http://017700000001/", "http://127.0.0.1./", "http://0/", "http://0.0.0.0/",
    "http://①②⑦.⓪.⓪.①/", "http://１２７。０。０。１/", "http://%31%32%37.0.0.1/", "http://[::1]/", "http://[::]/",
    "http://[0:0:0:0:0:0:0:1]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/", "http://[fe80::1]/", "http://[fd00:ec2::254]/", "http://169.254.169.254/latest/",
    "http://2852039166/", "http://100.100.100.200/", "http://168.63.129.16/", "http://10.0.0.1/", "http://192.168.0.1/",
]  # fmt: skip


class Network:
    """A name system and an internet of its own, all on loopback.

    `names` maps a host to its answers, one list for each lookup in turn (the last one again for all later ones). Public
    addresses lead to `server`; `dialled` and `asked` say what was connected to and looked up.
    """

    def __init__(self, server: RawServer, names: dict[str, list[list[str]]]) -> None:
        self.server = server
        self.names = names
        self.asked: list[str] = []
        self.dialled: list[str] = []

    def lookup(self, host: str, port: int) -> list[Endpoint]:
        answers = self.names[host]
        turn = min(self.asked.count(host), len(answers) - 1)
        self.asked.append(host)
        return [
            Endpoint(socket.AF_INET6, (ip, port, 0, 0)) if ":" in ip else Endpoint(socket.AF_INET, (ip, port))
            for ip in answers[turn]
        ]

    def dial(self, endpoint: Endpoint, seconds: float) -> socket.socket:
        self.dialled.append(endpoint.sockaddr[0])
        return socket.create_connection(("127.0.0.1", self.server.port), seconds)


@pytest.mark.parametrize("ip", CLOSED)
def test_a_special_address_is_not_public(ip: str) -> None:
    assert not is_public(ip)


@pytest.mark.parametrize("ip", OPEN)
def test_an_ordinary_address_is_public(ip: str) -> None:
    assert is_public(ip)


def test_nothing_is_public_that_python_knows_to_be_special() -> None:
    dice = random.Random(7)
    v4 = [ipaddress.IPv4Address(dice.getrandbits(32)) for _ in range(20_000)]
    v6 = [
        ipaddress.IPv6Address(dice.getrandbits(128) >> dice.choice((0, 0, 64, 90)) | 0x2001 << 112)
        for _ in range(20_000)
    ]
    for address in (*v4, *v6):
        if is_public(address):
            assert address.is_global and not address.is_multicast and not address.is_reserved, address


@pytest.mark.parametrize("url", SPELLINGS)
def test_no_spelling_of_a_private_address_is_connected_to(url: str, make_fetcher: Callable[..., Fetcher]) -> None:
    outcome = make_fetcher(allow_private=False).fetch(url).outcome
    assert isinstance(outcome, Attempt)
    assert (outcome.reason, outcome.capture) == ("address", None)


@pytest.mark.parametrize("answers", [[PUBLIC, "10.0.0.7"], ["10.0.0.7", PUBLIC], [PUBLIC, "::ffff:10.0.0.7"]])
def test_one_private_answer_among_public_ones_refuses_the_name(
    answers: list[str], make_fetcher: Callable[..., Fetcher]
) -> None:
    with RawServer({"/": response(b"secret")}) as server:
        net = Network(server, {"mixed.example": [answers]})
        outcome = (
            make_fetcher(allow_private=False, lookup=net.lookup, dial=net.dial).fetch("http://mixed.example/").outcome
        )
    assert isinstance(outcome, Attempt)
    assert (outcome.reason, net.dialled, server.requests) == ("address", [], [])
    assert "10.0.0.7" in outcome.detail


def test_a_name_that_answers_differently_later_is_connected_to_where_it_was_checked(
    make_fetcher: Callable[..., Fetcher],
) -> None:
    with RawServer({"/": response(b"page")}) as server:
        net = Network(server, {"rebind.example": [[PUBLIC], ["127.0.0.1"]]})
        fetcher = make_fetcher(allow_private=False, lookup=net.lookup, dial=net.dial)
        got = fetcher.fetch("http://rebind.example/").outcome
        assert isinstance(got, Capture)
        assert (got.body, got.address) == (b"page", PUBLIC)
        assert (net.asked, net.dialled) == (["rebind.example"], [PUBLIC])
        again = fetcher.fetch("http://rebind.example/").outcome
    assert isinstance(again, Attempt)
    assert (again.reason, net.dialled) == ("address", [PUBLIC])


def test_a_name_that_turns_private_between_robots_and_page_is_refused(make_fetcher: Callable[..., Fetcher]) -> None:
    with RawServer({"/": response(b"secret")}) as server:
        net = Network(server, {"rebind.example": [[PUBLIC], ["127.0.0.1"]]})
        fetcher = make_fetcher(allow_private=False, respect_robots=True, lookup=net.lookup, dial=net.dial)
        outcome = fetcher.fetch("http://rebind.example/").outcome
    assert isinstance(outcome, Attempt)
    assert (outcome.reason, net.dialled, server.paths()) == ("address", [PUBLIC], ["/robots.txt"])


@pytest.mark.parametrize(
    "inside", ["169.254.169.254", "[::ffff:10.0.0.1]", "2130706433", "localhost", "inside.example", "[64:ff9b::a00:1]"]
)
def test_a_redirect_into_a_private_network_is_refused_and_the_redirect_kept(
    inside: str, make_fetcher: Callable[..., Fetcher]
) -> None:
    with RawServer({"/": redirect(f"http://{inside}/latest".encode()), "/latest": response(b"secret")}) as server:
        names = {"news.example": [[PUBLIC]], "inside.example": [["10.1.2.3"]], "localhost": [["127.0.0.1", "::1"]]}
        net = Network(server, names)
        fetched = make_fetcher(allow_private=False, lookup=net.lookup, dial=net.dial).fetch("http://news.example/")
    assert isinstance(fetched.outcome, Attempt)
    assert (fetched.outcome.reason, net.dialled, server.paths()) == ("address", [PUBLIC], ["/"])
    assert [hop.status for hop in fetched.redirects] == [302]
    assert fetched.outcome.uri == fetched.redirects[0].location


def test_a_robots_file_that_redirects_inside_is_not_followed(make_fetcher: Callable[..., Fetcher]) -> None:
    with RawServer({"/robots.txt": redirect(b"http://10.0.0.1/admin"), "/": response(b"page")}) as server:
        net = Network(server, {"news.example": [[PUBLIC]]})
        fetcher = make_fetcher(allow_private=False, respect_robots=True, lookup=net.lookup, dial=net.dial)
        outcome = fetcher.fetch("http://news.example/").outcome
    assert isinstance(outcome, Attempt)
    assert (outcome.reason, net.dialled, server.paths()) == ("robots-unreachable", [PUBLIC], ["/robots.txt"])


def test_an_override_does_not_open_a_private_address(make_fetcher: Callable[..., Fetcher]) -> None:
    with RawServer({"/": response(b"secret")}) as server:
        override = {"news.example": f"127.0.0.1:{server.port}"}
        outcome = make_fetcher(allow_private=False, resolve=override).fetch("http://news.example/").outcome
    assert isinstance(outcome, Attempt)
    assert (outcome.reason, server.requests) == ("address", [])


def test_an_override_lets_several_names_live_on_one_loopback_port(make_fetcher: Callable[..., Fetcher]) -> None:
    with RawServer({"/": response(b"page")}) as server:
        overrides = dict(
            [
                parse_override(f"news.example:127.0.0.1:{server.port}"),
                parse_override(f"bücher.example:80:127.0.0.1:{server.port}"),
            ]
        )
        fetcher = make_fetcher(resolve=overrides)
        got = [fetcher.fetch(f"http://{host}/").outcome for host in ("news.example", "bücher.example")]
    hosts = [request.split(b"\r\n")[1] for request in server.requests]
    assert hosts == [b"Host: news.example", b"Host: xn--bcher-kva.example"]
    for capture in got:
        assert isinstance(capture, Capture)
        assert dict(capture.facts)["resolved-by"]
        assert dict(capture.facts)["peer"] == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize(
    ("text", "override"),
    [
        ("news.example:127.0.0.1", ("news.example", "127.0.0.1")),
        ("NEWS.example.:127.0.0.1:8123", ("news.example", "127.0.0.1:8123")),
        ("news.example:443:127.0.0.1", ("news.example:443", "127.0.0.1")),
        ("news.example:443:127.0.0.1:8443", ("news.example:443", "127.0.0.1:8443")),
        ("news.example:[::1]", ("news.example", "[::1]")),
        ("news.example:80:[::1]:8123", ("news.example:80", "[::1]:8123")),
        ("bücher.example:127.0.0.1", ("xn--bcher-kva.example", "127.0.0.1")),
    ],
)
def test_an_override_is_written_as_curl_has_it_or_shorter(text: str, override: tuple[str, str]) -> None:
    assert parse_override(text) == override


@pytest.mark.parametrize(
    "text",
    [
        "", "news.example", "news.example:", ":127.0.0.1", "news.example:80", "news.example:::1", "a.example:b.example",
        "news.example:127.0.0.1:0", "news.example:127.0.0.1:99999", "news.example:127.0.0.1:80:80", "a b:127.0.0.1",
        "news.example:300.0.0.1", "news.example:127.0.0.1:8x",
    ],
)  # fmt: skip
def test_an_override_that_cannot_be_read_is_bad_usage(text: str) -> None:
    with pytest.raises(UsageError, match="--resolve"):
        parse_override(text)


def test_an_override_may_hold_for_one_port_only() -> None:
    overrides = {"news.example:443": "10.0.0.2:8443", "news.example": "10.0.0.1"}
    for port, sockaddr in ((443, ("10.0.0.2", 8443)), (80, ("10.0.0.1", 80))):
        found = resolve("news.example", port, allow_private=True, overrides=overrides)
        assert found == [Endpoint(socket.AF_INET, sockaddr)]


def test_a_name_without_any_address_is_a_permanent_failure() -> None:
    with pytest.raises(FetchError) as failed:
        resolve("empty.example", 80, allow_private=False, overrides={}, lookup=lambda host, port: [])
    assert failed.value.reason == "dns"


def test_the_next_address_is_tried_where_the_first_does_not_answer(make_fetcher: Callable[..., Fetcher]) -> None:
    with RawServer({"/": response(b"page")}) as server:
        closed = socket.create_server(("127.0.0.1", 0))
        refusing = closed.getsockname()[1]
        closed.close()
        answers = [Endpoint(socket.AF_INET, ("127.0.0.1", port)) for port in (refusing, server.port)]
        got = make_fetcher(lookup=lambda host, port: answers).fetch("http://two.example/").outcome
    assert isinstance(got, Capture)
    assert dict(got.facts)["peer"] == f"127.0.0.1:{server.port}"


def test_an_ipv6_server_is_reached_and_named(make_fetcher: Callable[..., Fetcher]) -> None:
    try:
        server = RawServer({"/": response(b"six")}, host="::1")
    except OSError:
        pytest.skip("no IPv6 loopback here")
    with server:
        got = make_fetcher().fetch(f"http://[::1]:{server.port}/").outcome
    assert isinstance(got, Capture)
    assert (got.body, got.address) == (b"six", "::1")
    assert server.requests[0].split(b"\r\n")[1] == b"Host: [::1]:%d" % server.port
