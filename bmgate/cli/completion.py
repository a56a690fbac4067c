"""`bmgate completion`: what a shell needs to complete commands and options."""

import click
from click.shell_completion import get_completion_class

from bmgate.cli.options import place_options

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_BMGATE_COMPLETE"
"""The environment variable by which a shell asks for completions."""


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@place_options
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a script that teaches SHELL to complete bmgate's commands and options.

    \b
    bash: bmgate completion bash > ~/.local/share/bash-completion/completions/bmgate
    zsh:  bmgate completion zsh > ~/.zfunc/_bmgate (with fpath+=~/.zfunc before compinit)
    fish: bmgate completion fish > ~/.config/fish/completions/bmgate.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None, "the shells offered are those that click knows"
    root = ctx.find_root()
    click.echo(kind(root.command, {}, "bmgate", VARIABLE).source())
