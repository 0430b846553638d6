"""`muniment completion`"""

from __future__ import annotations

import click

from muniment.cli.common import common_options


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@common_options
def completion(shell: str, quiet: bool) -> None:
    """Print the completion script: `eval "$(muniment completion bash)"`."""
    from click.shell_completion import get_completion_class

    from muniment.cli import cli

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"there is no completion for {shell}")
    click.echo(kind(cli, {}, "muniment", "_MUNIMENT_COMPLETE").source())
