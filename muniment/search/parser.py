"""Whoosh's parser without Whoosh's engine.

`whoosh.qparser` imports `whoosh.query`, and with it Whoosh's readers, matchers, columns and stemmers: two thirds of the
time that a search takes to start, for classes that the parser needs only to build Whoosh's own queries, which we never
ask it for. So a copy of the parser is imported that finds a placeholder there. The copy is ours alone: whoever imports
`whoosh.qparser` afterwards gets a whole one.
"""

from __future__ import annotations

import sys
from types import ModuleType

_QUERIES, _PARSER = "whoosh.query", "whoosh.qparser"


class _Placeholder(ModuleType):
    """Any name in it is a class that does nothing: enough for class bodies and default values."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def _import_parser() -> tuple[ModuleType, ModuleType, ModuleType]:
    whole = _QUERIES in sys.modules  # the engine is here anyway
    if not whole:
        sys.modules[_QUERIES] = _Placeholder(_QUERIES)
    try:
        import whoosh
        from whoosh.qparser import default, plugins, syntax
    finally:
        if not whole:
            for name in [n for n in sys.modules if n in (_QUERIES, _PARSER) or n.startswith(_PARSER + ".")]:
                del sys.modules[name]
    if not whole:
        del whoosh.qparser
    return default, plugins, syntax


_default, plugins, syntax = _import_parser()
# The parser's own method imports `whoosh.qparser` when it is called, and so another copy than ours.
QueryParser = type(
    "QueryParser",
    (_default.QueryParser,),
    {"_add_ws_plugin": lambda parser: parser.add_plugin(plugins.WhitespacePlugin())},
)
