"""The options of commands that search: filters beside the query, and words that begin with a minus."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from muniment.errors import UsageError

if TYPE_CHECKING:
    from muniment.search.results import Filters

F = TypeVar("F", bound=Callable[..., Any])
FILTERS = ("source", "language", "tag", "kind", "author")
_MINUS = "\x00"  # stands for the minus of `-word` while click looks for options
_EXCLUSION = re.compile(r"-[^-\s].*", re.S)
_NO_TEXT = re.compile("[\ud800-\udfff]")
_FLAGS = re.compile(r"-[qvh]+")


class QueryCommand(click.Command):
    """A command whose arguments may begin with a minus: `-word` excludes a word and is no option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        hidden = [_MINUS + arg[1:] if _EXCLUSION.fullmatch(arg) and not _FLAGS.fullmatch(arg) else arg for arg in args]
        try:
            rest = super().parse_args(ctx, hidden)
        except click.UsageError as e:
            message = e.format_message().replace(_MINUS, "-").replace(repr(_MINUS)[1:-1], "-")
            raise click.UsageError(message, ctx) from None
        ctx.params = {name: _with_minus(value) for name, value in ctx.params.items()}
        for parameter in self.params:
            if not isinstance(parameter.type, click.Path):  # a file's name may be any bytes
                _check_text(parameter, ctx.params.get(parameter.name or ""))
        return rest


def _check_text(parameter: click.Parameter, value: Any) -> None:
    """Raises UsageError for bytes that are no text: nothing that is indexed holds them, and no file would."""
    for text in value if isinstance(value, tuple) else (value,):
        if isinstance(text, str) and not text.isascii() and _NO_TEXT.search(text):
            of_query = "the query" if parameter.name == "words" else f"the {parameter.name}"
            name = parameter.opts[0] if parameter.param_type_name == "option" else of_query
            raise UsageError(f"{name}: {text!a} is no text in UTF-8: type it anew")


def _with_minus(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_with_minus, value))
    return "-" + value[1:] if isinstance(value, str) and value.startswith(_MINUS) else value


def filter_options(command: F) -> F:
    """`--any` and the filters."""
    options = (
        click.option(
            "--any", "sentence", is_flag=True, help="QUERY is a sentence, not the language: any of its words will do."
        ),
        click.option("--source", multiple=True, help="Only this source; may be repeated."),
        click.option("--since", metavar="DATE", help="Published then or later: 2021, 2021-05 or 2021-05-30."),
        click.option("--until", metavar="DATE", help="Published then or earlier."),
        click.option("--language", multiple=True, metavar="CODE", help="Only this language; may be repeated."),
        click.option("--tag", multiple=True, help="Only with this tag; may be repeated."),
        click.option("--kind", multiple=True, metavar="KIND", help="Only page, pdf, document, mail, text or upload."),
        click.option("--author", multiple=True, metavar="NAME", help="Only by this author; may be repeated."),
        click.option("--not-source", multiple=True, metavar="TEXT", help="Nothing of this source; may be repeated."),
        click.option("--not-language", multiple=True, metavar="CODE", help="Nothing in this language; may repeat."),
        click.option("--not-tag", multiple=True, metavar="TEXT", help="Nothing with this tag; may be repeated."),
        click.option("--not-kind", multiple=True, metavar="KIND", help="Nothing of this kind; may be repeated."),
        click.option("--not-author", multiple=True, metavar="NAME", help="Nothing by this author; may be repeated."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def filters_of(options: Mapping[str, Any]) -> Filters:
    from muniment.search.results import Filters

    named = [name for kind in FILTERS for name in (kind, f"not_{kind}")]
    return Filters(**{name: options[name] for name in (*named, "since", "until")})
