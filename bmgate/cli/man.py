"""`bmgate man`: the manual page, made from the commands themselves; docs/man/bmgate.1 is what it prints."""

import re
from collections.abc import Iterator

import click

from bmgate import __version__
from bmgate.cli.options import place_options

_FILES = """\
.TP
.I ~/.local/share/bmgate
The data folder, unless \\-\\-data or BMGATE_DATA names another; as root /var/lib/bmgate.
.TP
.I gateway.ini
The settings, in the data folder.
"""
_STATUS = """\
0: done. 1: refused or failed. 2: wrong usage or configuration. 75: not now, perhaps later.
"""


@click.command()
@place_options
@click.pass_context
def man(ctx: click.Context) -> None:
    """Print the manual page: bmgate man > bmgate.1; man ./bmgate.1"""
    click.echo(manual(ctx.find_root().command), nl=False)


def manual(root: click.Command) -> str:
    """The page in the language of man(7)."""
    return "".join(_page(root))


def _page(root: click.Command) -> Iterator[str]:
    yield f'.TH BMGATE 1 "" "bmgate {__version__}" "User Commands"\n'
    yield ".SH NAME\nbmgate \\- a Bitmessage node with IMAP and SMTP in front\n"
    yield ".SH SYNOPSIS\n.B bmgate\n[\\-\\-data DIR] [\\-\\-config FILE] COMMAND [ARGUMENTS]\n"
    ctx = click.Context(root, info_name="bmgate")
    yield ".SH DESCRIPTION\n" + _paragraphs(root.help or "")
    yield ".SH OPTIONS\n" + "".join(_options(root, ctx))
    yield ".SH COMMANDS\n"
    for command, own in _commands(root, ctx):
        yield from _entry(command, own)
    yield ".SH EXIT STATUS\n" + _STATUS
    yield ".SH FILES\n" + _FILES


def _commands(group: click.Command, ctx: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """Every command that does something, groups opened up, in the order of the help."""
    if not isinstance(group, click.Group):
        yield group, ctx
        return
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        if command is not None and not command.hidden:
            yield from _commands(command, click.Context(command, parent=ctx, info_name=name))


def _entry(command: click.Command, ctx: click.Context) -> Iterator[str]:
    arguments = " ".join(param.make_metavar(ctx) for param in command.params if isinstance(param, click.Argument))
    yield f".SS {_escaped(f'{ctx.command_path} {arguments}'.strip())}\n"
    yield _paragraphs(command.help or "")
    yield from _options(command, ctx)


def _options(command: click.Command, ctx: click.Context) -> Iterator[str]:
    for param in command.params:
        record = None if _is_everywhere(param, ctx) else param.get_help_record(ctx)
        if record is not None:
            yield f".TP\n.B {_escaped(record[0])}\n{_escaped(record[1])}\n"


def _is_everywhere(param: click.Parameter, ctx: click.Context) -> bool:
    """`--data` and `--config` are told once."""
    return ctx.parent is not None and param.name in ("data", "config")


def _paragraphs(text: str) -> str:
    cleaned = text.replace("\b\n", "").strip()
    return "".join(f".PP\n{_escaped(each)}\n" for each in re.split(r"\n\s*\n", cleaned))


def _escaped(text: str) -> str:
    """Text that means nothing to man: no line begins with a point."""
    lines = text.replace("\\", "\\e").replace("-", "\\-").splitlines()
    return "\n".join(("\\&" if line.lstrip().startswith((".", "'")) else "") + line.strip() for line in lines)
