"""SURT keys: addresses turned round so that those of one site stand together when they are sorted.

    https://www.example.org/A%20b?y=2&x=1  ->  org,example)/a%20b?x=1&y=2
    file:///home/a.txt                     ->  file:/home/a.txt

The rules are those that replay software looks addresses up by: no scheme where there is a host, no user, no `www.`, no
default port, no fragment, lower case, percent-encoding in one form, parameters in order. Session identifiers stay, for
they are part of what was asked for.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

_URL = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?", re.S)
_WWW = re.compile(r"www\d*\.")
_PORTS = {"http": "80", "https": "443"}


def surt(url: str) -> str:
    """The key of an address, in ASCII without white space."""
    match = _URL.match(url.strip())
    scheme, authority, path, query = match.groups() if match else (None, None, url, None)
    scheme = (scheme or "http").lower()
    key = _reversed_host(scheme, authority) + _path(path) if authority else f"{scheme}:{_path(path, free=True)}"
    words = _escaped(query or "").lower()
    return f"{key}?{_ordered(words)}" if words else key


def _reversed_host(scheme: str, authority: str) -> str:
    host, _, port = authority.rpartition("@")[2].partition(":")
    name = _escaped(host).lower().replace("..", ".").strip(".")
    name = _WWW.sub("", name, count=1) if _WWW.match(name) else name
    own_port = f":{port}" if port and port != _PORTS.get(scheme) else ""
    return ",".join(reversed(name.split("."))) + own_port + ")"


def _path(path: str, *, free: bool = False) -> str:
    """In one form; without a host it is no folder and file, and only its last slash goes."""
    escaped = _escaped(path).lower()
    if not free:
        kept: list[str] = []
        parts = escaped.split("/")[1:] or [""]
        for part in parts:
            if part == "..":
                del kept[-1:]
            elif part != ".":
                kept.append(part)
        last = kept[-1] if kept else ""
        escaped = "/" + "".join(f"{part}/" for part in kept[:-1] if part) + last
    return escaped.removesuffix("/") if len(escaped) > 1 else escaped


def _ordered(query: str) -> str:
    return "&".join("=".join(pair) for pair in sorted(argument.split("=", 1) for argument in query.split("&")))


def _escaped(text: str) -> str:
    """Percent-encoded once, however often it was before."""
    raw = text.encode("utf-8", "surrogateescape")
    while (plain := unquote_to_bytes(raw)) != raw:
        raw = plain
    return "".join(chr(b) if 0x20 < b < 0x7F and b not in b"#%" else f"%{b:02X}" for b in raw)
