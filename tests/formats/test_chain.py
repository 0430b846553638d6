"""Chains of certificates: which lead from a signer to a root at a time, and which do not."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from muniment.formats.chain import (
    check_belonging,
    find_root,
    one_line,
    parse_certificate,
    parse_certificates,
    readable_name,
)
from tests.authority import Issuer, certificate, pem

SINCE, UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
AT = datetime(2025, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
STAMPS = [ExtendedKeyUsageOID.TIME_STAMPING]


def authority(name: str, issuer: Issuer | None, **options: Any) -> Issuer:
    return certificate(name, issuer, options.pop("since", SINCE), options.pop("until", UNTIL), ca=True, **options)


def signer(issuer: Issuer) -> Issuer:
    return certificate("Signer", issuer, SINCE, UNTIL, purposes=STAMPS)


ROOT = authority("Root", None)


def test_a_chain_ends_in_its_root() -> None:
    first = authority("First", ROOT)
    second = authority("Second", first)
    leaf = signer(second)
    others = [second[0], first[0]]
    assert find_root(leaf[0], others, [ROOT[0]], AT) == ROOT[0]
    assert find_root(leaf[0], others[::-1], [authority("Other", None)[0], ROOT[0]], AT) == ROOT[0]
    check_belonging(leaf[0], [leaf[0], *others, ROOT[0]])


@pytest.mark.parametrize(
    "options",
    [
        {"may_issue": False},
        {"purposes": [ExtendedKeyUsageOID.SERVER_AUTH]},
        {"since": AT + DAY},
        {"until": AT - DAY},
    ],
)
@pytest.mark.parametrize("place", ["root", "between"])
def test_an_authority_that_may_not_issue_stamps_certificates_ends_a_chain(options: dict[str, Any], place: str) -> None:
    root = authority("R", None, **(options if place == "root" else {}))
    between = authority("Between", root, **(options if place == "between" else {}))
    with pytest.raises(ValueError, match="no chain from Signer"):
        find_root(signer(between)[0], [between[0]], [root[0]], AT)


@pytest.mark.parametrize("purposes", [STAMPS, [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]])
def test_an_authority_may_be_bound_to_time_stamping(purposes: list[Any]) -> None:
    between = authority("Between", ROOT, purposes=purposes, critical=False)
    assert find_root(signer(between)[0], [between[0]], [ROOT[0]], AT) == ROOT[0]


def test_the_length_of_a_path_is_kept_to() -> None:
    short = authority("Short", ROOT, path_length=0)
    assert find_root(signer(short)[0], [short[0]], [ROOT[0]], AT) == ROOT[0]
    beyond = authority("Beyond", short)
    with pytest.raises(ValueError, match="no chain"):
        find_root(signer(beyond)[0], [beyond[0], short[0]], [ROOT[0]], AT)


def test_a_namesake_of_the_root_is_not_the_root() -> None:
    namesake = authority("Root", None)
    assert namesake[0].subject == ROOT[0].subject
    with pytest.raises(ValueError, match="no chain"):
        find_root(signer(namesake)[0], [namesake[0]], [ROOT[0]], AT)


def test_an_expired_twin_of_an_authority_does_not_hide_the_valid_one() -> None:
    valid = authority("Between", ROOT)
    expired = authority("Between", ROOT, until=AT - DAY, key=valid[1])
    leaf = signer(valid)
    for others in ([valid[0], expired[0]], [expired[0], valid[0]]):
        assert find_root(leaf[0], others, [ROOT[0]], AT) == ROOT[0]


def test_a_chain_too_long_to_be_one_is_refused() -> None:
    authorities = [ROOT]
    for number in range(8):
        authorities.append(authority(f"CA {number}", authorities[-1]))
    with pytest.raises(ValueError, match="no chain"):
        find_root(signer(authorities[-1])[0], [c for c, _ in authorities[1:]], [ROOT[0]], AT)


def test_authorities_that_vouch_for_one_another_in_rings_take_no_endless_search() -> None:
    keys = [authority(f"Ring {n}", None) for n in range(4)]
    ring = [
        certificate(f"Ring {a}", keys[b], SINCE, UNTIL, ca=True, key=keys[a][1])[0]
        for a in range(4)
        for b in range(4)
        if a != b
    ]
    assert len(ring) == 12
    with pytest.raises(ValueError, match="no chain"):
        find_root(signer(keys[0])[0], ring, [ROOT[0]], AT)


def test_certificates_are_read_from_pem_with_words_between_them() -> None:
    text = b"# the root\n" + pem(ROOT[0]) + b"# and one more\n" + pem(authority("More", ROOT)[0])
    assert [readable_name(c) for c in parse_certificates(text)] == ["Root", "More"]


@pytest.mark.parametrize("content", [b"", b"junk", b"\xff\xfe", pem(ROOT[0])[:200], pem(ROOT[0]).replace(b"M", b"N")])
def test_what_is_no_pem_is_refused_in_one_line(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"^(no certificates in PEM|a certificate that)[^\n]*$"):
        parse_certificates(content)


def test_odd_names_in_certificates_print_no_warnings() -> None:
    with pytest.warns(UserWarning, match="length"):
        odd = authority("Root", None, country="Iran")
        leaf = signer(odd)[0].public_bytes(Encoding.DER)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        signs = parse_certificate(leaf)
        (root,) = parse_certificates(pem(odd[0]))
        assert (readable_name(signs), readable_name(root)) == ("Signer", "Root")
        assert find_root(signs, [], [root], AT) == root
        check_belonging(signs, [signs, root])


def test_text_from_outside_is_shown_in_one_short_line() -> None:
    assert one_line("a\x00b\n\n c\u202ed") == "a b c d"
    assert one_line("x" * 101) == "x" * 99 + "…"
