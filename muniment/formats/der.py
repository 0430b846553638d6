"""Whether bytes are one value in DER, the spelling of ASN.1 in which every value has one form (X.690 section 10).

    30 06 02 01 05 01 01 ff      SEQUENCE { INTEGER 5, BOOLEAN TRUE }

Parsers take more than DER: lengths with leading zeros, lengths that are not told, bytes behind the end. In what a
signature does not cover, such room would let two different files pass for one answer.
"""

from __future__ import annotations

MAX_DEPTH = 40
MAX_OID = 64  # bytes; readers take time by the square of it

_SEQUENCE, _SET = 0x10, 0x11
_CONSTRUCTED, _CLASS, _NUMBER = 0x20, 0xC0, 0x1F


def check_der(data: bytes) -> None:
    """Raises ValueError, with the offset in bytes, where `data` is not exactly one DER value.

    One departure is let by: the order of a SET OF, which widely used authorities get wrong. Whether a value means
    anything is for its reader to say.
    """
    end = _value(data, 0, len(data), 0)
    if end != len(data):
        raise ValueError(f"{len(data) - end:,} bytes follow the end")


def _value(data: bytes, start: int, limit: int, depth: int) -> int:
    """Checks the value at `start`; returns where it ends, at most `limit`."""
    if depth > MAX_DEPTH:
        raise ValueError(f"over {MAX_DEPTH} values in one another, at byte {start:,}")
    if limit - start < 2:
        raise ValueError(f"a value is cut short at byte {start:,}")
    tag = data[start]
    if tag & _NUMBER == _NUMBER or tag == 0:
        raise ValueError(f"an unexpected tag at byte {start:,}")
    inside, length = _length(data, start + 1, limit)
    end = inside + length
    if end > limit:
        raise ValueError(f"a value is cut short at byte {start:,}")
    universal, constructed = tag & _CLASS == 0, bool(tag & _CONSTRUCTED)
    if universal and constructed != (tag & _NUMBER in (_SEQUENCE, _SET)):
        raise ValueError(f"a value in parts, or none where parts belong, at byte {start:,}")
    if constructed:
        while inside < end:
            inside = _value(data, inside, end, depth + 1)
    elif universal and not _is_canonical(tag, data[inside:end]):
        raise ValueError(f"a value that is not spelled as DER spells it, at byte {start:,}")
    return end


def _length(data: bytes, at: int, limit: int) -> tuple[int, int]:
    """Where the content begins, and its length in bytes."""
    first = data[at]
    if first < 0x80:
        return at + 1, first
    size = first & 0x7F
    raw = data[at + 1 : min(limit, at + 1 + size)]
    length = int.from_bytes(raw)
    # 0x80 is a length that is not told; more than four bytes of it is more than any answer has
    if not 1 <= size <= 4 or len(raw) < size or length < 0x80 or raw[0] == 0:
        raise ValueError(f"a length that is not spelled as DER spells it, at byte {at:,}")
    return at + 1 + size, length


def _is_canonical(tag: int, content: bytes) -> bool:
    match tag:
        case 0x01:  # BOOLEAN
            return content in (b"\x00", b"\xff")
        case 0x02 | 0x0A:  # INTEGER, ENUMERATED
            return len(content) == 1 or (len(content) > 1 and not _is_padded(content))
        case 0x03:  # BIT STRING, which begins with the number of bits in its last byte that do not count
            unused = content[0] if content else 8
            return unused == 0 or (unused < 8 and len(content) > 1 and content[-1] % (1 << unused) == 0)
        case 0x05:  # NULL
            return not content
        case 0x06:  # OBJECT IDENTIFIER
            return 0 < len(content) <= MAX_OID and content[-1] < 0x80 and content[0] != 0x80
    return True


def _is_padded(content: bytes) -> bool:
    return (content[0] == 0 and content[1] < 0x80) or (content[0] == 0xFF and content[1] >= 0x80)
