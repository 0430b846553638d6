"""Which network addresses may be connected to, and the one lookup that decides it.

An archive that fetches what strangers link to must not be led into its own network. So each hop looks its
host up once, every answer must be public, and the connection goes to an address that was checked: a name
that answers differently a moment later (DNS rebinding) has nothing to win.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple

from muniment.errors import FetchError, UsageError
from muniment.ingest.urls import ascii_host

SockAddr = tuple[str, int] | tuple[str, int, int, int]


class Endpoint(NamedTuple):
    """An address to connect to, as `socket.socket(family).connect(sockaddr)` takes it."""

    family: socket.AddressFamily
    sockaddr: SockAddr


# host, port -> every answer of the resolver
Lookup = Callable[[str, int], Iterable[Endpoint]]

# What IANA's special-purpose registry (RFC 6890) does not call globally reachable, and two that it does:
# relays of 6to4, and the address at which Azure shows each machine its own configuration.
_CLOSED_V4 = [
    IPv4Network(network)
    for network in [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        "168.63.129.16/32",
    ]
]
_UNICAST_V6 = IPv6Network("2000::/3")
# Inside 2000::/3: protocol assignments with Teredo and ORCHID, 6to4, and documentation.
_CLOSED_V6 = [IPv6Network(network) for network in ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"]]
_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(ip: str | IPv4Address | IPv6Address) -> bool:
    """Whether an address belongs to the public internet; False for text that is no address, and for any zone.

    IPv4 inside IPv6 counts as the IPv4 address where a network can hand it on (IPv4-mapped, and the NAT64
    prefix that DNS64 answers with on networks without IPv4); the retired tunnels (6to4, Teredo) are closed
    altogether.
    """
    try:
        address = ip_address(ip)
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _CLOSED_V4)
    if address.scope_id is not None:
        return False
    inner = address.ipv4_mapped or (IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None)
    if inner is not None:
        return is_public(inner)
    return address in _UNICAST_V6 and not any(address in network for network in _CLOSED_V6)


def look_up(host: str, port: int) -> list[Endpoint]:
    """The system's resolver. It keeps its own time limits (resolv.conf)."""
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as e:
        reason = "dns-temporary" if e.errno == socket.EAI_AGAIN else "dns"
        raise FetchError(reason, f"{host} cannot be looked up: {e.strerror}") from e
    except UnicodeError as e:
        raise FetchError("dns", f"{host} is no name that can be looked up: {e}") from e
    return [Endpoint(family, _sockaddr(sockaddr)) for family, _, _, _, sockaddr in answers]


def resolve(
    host: str, port: int, *, allow_private: bool, overrides: Mapping[str, str], lookup: Lookup = look_up
) -> list[Endpoint]:
    """Where to connect for `host` and `port`, best first, each answer checked; the only lookup of a hop.

    An override (see parse_override) takes the place of the lookup, not of the check. Raises FetchError:
    "address" where any answer is not public, "dns" where the name does not exist, "dns-temporary" where
    asking may help later.
    """
    host = host.strip("[]")
    override = overrides.get(f"{host}:{port}") or overrides.get(host)
    if override is not None:
        endpoints = [_parse_address(override, port)]
    elif (literal := _literal(host)) is not None:
        endpoints = [_endpoint(literal, port)]
    else:
        endpoints = list(lookup(host, port))
    if not endpoints:
        raise FetchError("dns", f"{host} has no address")
    refused = [e.sockaddr[0] for e in endpoints if not is_public(e.sockaddr[0])]
    if refused and not allow_private:
        shown = ", ".join(refused[:3])
        raise FetchError("address", f"{host} leads to {shown}, which is not public (see --allow-private)")
    return endpoints


def parse_override(text: str) -> tuple[str, str]:
    """The two sides of `--resolve`: the key and the address that `resolve` looks for. Raises UsageError.

    HOST:ADDRESS, HOST:ADDRESS:PORT (connect to that port), and with the port that the URL asks for, as curl
    writes it, HOST:PORT:ADDRESS and HOST:PORT:ADDRESS:PORT. IPv6 addresses stand in brackets.

        parse_override("news.example:127.0.0.1:8123")  -> ("news.example", "127.0.0.1:8123")
        parse_override("news.example:443:[::1]")       -> ("news.example:443", "[::1]")
    """
    match = re.fullmatch(r"([^:\[\]]+)(?::([0-9]{1,5}))?:((?:\[[^\]]+\]|[^:\[\]]+\.[^:\[\]]+)(?::[0-9]{1,5})?)", text)
    if match is None:
        raise UsageError(f"--resolve {text!r}: write HOST:ADDRESS, HOST:ADDRESS:PORT or HOST:PORT:ADDRESS")
    try:
        host = ascii_host(match[1])
        _parse_address(match[3], 80)
    except FetchError as e:
        raise UsageError(f"--resolve {text!r}: {e}") from e
    return f"{host}:{int(match[2])}" if match[2] else host, match[3]


def _parse_address(text: str, port: int) -> Endpoint:
    """`127.0.0.1`, `127.0.0.1:8123`, `[::1]` or `[::1]:8123`, with `port` where the text has none."""
    match = re.fullmatch(r"(?:\[([^\]]+)\]|([0-9.]+))(?::([0-9]{1,5}))?", text)
    literal = _literal(match[1] or match[2]) if match else None
    if match is None or literal is None or not 0 < int(match[3] or port) < 65536:
        raise FetchError("bad-url", f"{text!r} is no IP address with an optional port (IPv6 in brackets)")
    return _endpoint(literal, int(match[3] or port))


def _literal(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _endpoint(address: IPv4Address | IPv6Address, port: int) -> Endpoint:
    if isinstance(address, IPv4Address):
        return Endpoint(socket.AF_INET, (str(address), port))
    return Endpoint(socket.AF_INET6, (str(address), port, 0, 0))


def _sockaddr(answer: tuple[object, ...]) -> SockAddr:
    match answer:
        case (str(ip), int(port)):
            return ip, port
        case (str(ip), int(port), int(flow), int(scope)):
            return ip, port, flow, scope
    raise FetchError("dns", f"the resolver answered with no internet address: {answer!r}")
