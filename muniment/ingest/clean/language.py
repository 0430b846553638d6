"""The language of a text: py3langid over a sample, with the page's own claim where languages are near twins."""

from __future__ import annotations

ENOUGH = 20  # letters below which a guess says nothing
_SAMPLE = 400  # characters from the start, and as many from the middle; more costs time and changes little
_TWINS = tuple(
    frozenset(group.split())
    for group in ("no nb nn da", "id ms", "hr sr bs sl", "cs sk", "gl pt", "mk bg", "fa prs tg ps", "af nl")
)


def identify(text: str, claim: str | None) -> tuple[str | None, str]:
    """(ISO 639-1 code or None, origin). The claim (`html@lang`) decides only between near twins, or for a text
    too short to tell."""
    hint = primary(claim)
    sample = text[:_SAMPLE] + " " + text[max(_SAMPLE, len(text) // 2) :][:_SAMPLE]
    if sum(map(str.isalpha, sample)) < ENOUGH:
        return (hint, "html@lang") if hint and text else (None, "")
    import py3langid

    found = str(py3langid.classify(sample)[0])
    if hint and hint != found and any(hint in twins and found in twins for twins in _TWINS):
        return hint, "html@lang"
    return found, "py3langid"


def primary(claim: str | None) -> str | None:
    """The primary subtag of a language tag ("en" of "en-GB"); None where it is no such tag (RFC 5646)."""
    code = (claim or "").strip().lower().replace("_", "-").partition("-")[0]
    return code if len(code) in (2, 3) and code.isascii() and code.isalpha() and code != "und" else None
