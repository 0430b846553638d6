"""How to fetch, as `archive.toml` and the options of `add`, `feed`, `sitemap` and `crawl` ask for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any, TypeVar

import click

from muniment.errors import UsageError

if TYPE_CHECKING:
    from muniment.adding import Fetches
    from muniment.archive.archive import Archive
    from muniment.ingest.fetch import Fetcher
    from muniment.ingest.policy import FetchPolicy

F = TypeVar("F", bound=Callable[..., Any])


def page_options(command: F) -> F:
    """What is kept of a page besides itself."""
    browser = click.option(
        "--browser", is_flag=True, help="Load pages in Chromium (needs muniment[browser]), and keep every response."
    )
    requisites = click.option("--requisites", is_flag=True, help="Fetch a page's pictures, styles and scripts too.")
    return browser(requisites(command))


def check_page_options(options: dict[str, Any]) -> None:
    if options["browser"] and options["requisites"]:
        raise click.UsageError("--browser keeps what a page needs: leave out --requisites")


def check_browser(policy: FetchPolicy, options: dict[str, Any]) -> None:
    """Raises UsageError where a browser is asked for and cannot be had."""
    if options["browser"]:
        from muniment.ingest.browser import find_browser

        find_browser(policy.browser)


def pages_of(fetcher: Fetcher, options: dict[str, Any], opened: ExitStack) -> Fetches:
    """What fetches pages as the options ask for, by this fetcher; a browser ends with `opened`."""
    if options["browser"]:
        from muniment.ingest.browser import BrowserFetcher

        return opened.enter_context(closing(BrowserFetcher(fetcher, fetcher.policy)))
    if options["requisites"]:
        from muniment.ingest.requisites import RequisiteFetcher

        return RequisiteFetcher(fetcher)
    return fetcher


def policy_of(archive: Archive, options: dict[str, Any], resolve: dict[str, str]) -> FetchPolicy:
    """How to fetch, as archive.toml and the options ask for. Raises UsageError."""
    from muniment.ingest.policy import FetchPolicy, check_settings

    settings = dict(archive.config.fetch)
    try:
        check_settings(settings)
    except UsageError as e:
        raise UsageError(f"{archive.root / 'archive.toml'}, [fetch]: {e}") from e
    if options["max_size"]:
        settings["max_size"] = options["max_size"]
    if options["ignore_robots"]:
        settings["respect_robots"] = False
    return FetchPolicy(allow_private=options["allow_private"], resolve=resolve, **settings)


def resolve_of(options: dict[str, Any]) -> dict[str, str]:
    """What `--resolve` says. Raises UsageError."""
    if not options["resolve"]:
        return {}
    from muniment.ingest.address import parse_override

    return dict(map(parse_override, options["resolve"]))
