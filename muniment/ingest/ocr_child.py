"""The process around recognition: its limits hold for tesseract too, which inherits them. See `ocr`."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
from typing import Any

MAX_PAGES = 500
_DOTS = 300  # an inch, which tesseract is made for
_MAX_PIXELS = 40_000_000
_MEMORY = 1 << 30  # bytes of address space, of each process
_PAGE_SECONDS = 120


def run(languages: str) -> None:
    """Reads a PDF from standard input, writes its recognised text. Ends with 1 and the reason where it cannot."""
    for limit, value in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_AS, _MEMORY)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(limit, (value, value))
    import pypdfium2

    out = sys.stdout.buffer
    try:
        pdf = pypdfium2.PdfDocument(sys.stdin.buffer.read())
        for number in range(min(len(pdf), MAX_PAGES)):
            out.write(_recognised(_picture(pdf[number]), languages) + b"\n\n")
    except (pypdfium2.PdfiumError, subprocess.SubprocessError, OSError, MemoryError) as e:
        out.write(f"{type(e).__name__}: {e}"[:200].encode("utf-8", "replace"))
        out.flush()
        os._exit(1)
    out.flush()
    os._exit(0)


def _picture(page: Any) -> bytes:
    """The page in grey, as a portable graymap (PGM)."""
    width, height = page.get_size()
    scale = _DOTS / 72
    pixels = width * height * scale * scale
    if pixels > _MAX_PIXELS:
        scale *= (_MAX_PIXELS / pixels) ** 0.5
    bitmap = page.render(scale=scale, grayscale=True)
    rows = bytes(bitmap.buffer)
    if bitmap.stride != bitmap.width:
        rows = b"".join(rows[i * bitmap.stride : i * bitmap.stride + bitmap.width] for i in range(bitmap.height))
    return b"P5 %d %d 255\n" % (bitmap.width, bitmap.height) + rows


def _recognised(picture: bytes, languages: str) -> bytes:
    done = subprocess.run(
        ["tesseract", "stdin", "stdout", "-l", languages, "--dpi", str(_DOTS)],
        input=picture,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        timeout=_PAGE_SECONDS,
    )
    if done.returncode:
        raise subprocess.SubprocessError(f"tesseract ended with {done.returncode}")
    return done.stdout.replace(b"\f", b"\n")
