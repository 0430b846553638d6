"""CSV (RFC 4180) of texts that strangers wrote."""

from __future__ import annotations

import re

# Where a list separator is set to `;` or a tab, a spreadsheet begins another cell behind one, whatever quotes say.
_FORMULA = re.compile(r"""(^|[;\t\r\n])([ "]*)(?=[=+\-@])|^(?=[\t\r])""")


def safe_cell(value: str) -> str:
    """A cell that no spreadsheet takes for a formula: a `'` stands before what would begin one, also behind a `;`, a
    tab or the end of a line within the text."""
    return _FORMULA.sub(lambda match: f"{match[1] or ''}{match[2] or ''}'", value)
