"""DER: one spelling for each value, and nothing else."""

from __future__ import annotations

import pytest

from muniment.formats.der import MAX_DEPTH, check_der


def nested(depth: int) -> bytes:
    data = b"\x05\x00"
    for _ in range(depth):
        length = bytes([len(data)]) if len(data) < 0x80 else b"\x81" + bytes([len(data)])
        data = b"\x30" + length + data
    return data


@pytest.mark.parametrize(
    "data",
    [
        b"\x05\x00",
        b"\x30\x00",
        b"\x30\x06\x02\x01\x05\x01\x01\xff",
        b"\x02\x02\x00\x80",
        b"\x02\x01\x80",
        b"\x0a\x01\x00",
        b"\x06\x03\x2a\x86\x48",
        b"\x04\x81\x80" + b"\x00" * 128,
        b"\x04\x82\x01\x00" + b"\x00" * 256,
        b"\xa0\x02\x05\x00",
        b"\x03\x01\x00",
        b"\x03\x02\x07\x80",
        b"\x03\x02\x00\xff",
        b"\x80\x00",
        b"\x31\x06\x02\x01\x09\x02\x01\x01",  # a SET OF out of order is let by
        nested(MAX_DEPTH),
    ],
)
def test_der_is_taken(data: bytes) -> None:
    check_der(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "cut short at byte 0"),
        (b"\x05", "cut short at byte 0"),
        (b"\x05\x00\x00", "1 bytes follow the end"),
        (b"\x30\x03\x02\x01", "cut short at byte 0"),
        (b"\x30\x02\x02\x01", "cut short at byte 2"),
        (b"\x30\x80\x00\x00", "length"),
        (b"\x04\x81\x05hello", "length"),
        (b"\x04\x82\x00\x80" + b"\x00" * 128, "length"),
        (b"\x04\x85\x00\x00\x00\x00\x00", "length"),
        (b"\x04\xff" + b"\x01" * 127, "length"),
        (b"\x04\x82\x01", "length"),
        (b"\x00\x00", "an unexpected tag"),
        (b"\x1f\x81\x00\x00", "an unexpected tag"),
        (b"\x24\x04\x04\x02hi", "a value in parts"),
        (b"\x10\x00", "a value in parts"),
        (b"\x01\x01\x01", "not spelled"),
        (b"\x01\x02\xff\xff", "not spelled"),
        (b"\x02\x00", "not spelled"),
        (b"\x02\x02\x00\x7f", "not spelled"),
        (b"\x02\x02\xff\x80", "not spelled"),
        (b"\x05\x01\x00", "not spelled"),
        (b"\x03\x00", "not spelled"),
        (b"\x03\x01\x01", "not spelled"),
        (b"\x03\x02\x08\x00", "not spelled"),
        (b"\x03\x02\x07\xc0", "not spelled"),
        (b"\x06\x00", "not spelled"),
        (b"\x06\x02\x2a\x86", "not spelled"),
        (b"\x06\x81\x82" + b"\x81" * 129 + b"\x01", "not spelled"),
        (nested(MAX_DEPTH + 1), "values in one another"),
        (b"\x30\x80" * 100_000, "length"),
    ],
)
def test_anything_else_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_der(data)
