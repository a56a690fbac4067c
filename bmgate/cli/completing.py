"""What the shell completes beyond commands: names and values of options, accounts, chans and the like.

Names come from the running gateway; without one there are none, for a key stroke opens no database.
"""

from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def accounts(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of accounts."""
    return _fitting((each["name"] for each in _asked(ctx, "account.list")), incomplete)


def labels(method: str) -> Completer:
    """The labels of what a method lists for the account that the command line names."""

    def complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        found = _asked(ctx, method, account=ctx.params.get("account") or "")
        return _fitting((each["label"] for each in found), incomplete)

    return complete


def options(scope: str) -> Completer:
    """The names of the options that are set for an `account`, `identity`, `membership` or `contact`."""

    def complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from bmgate.domain.policy import Scope, options_of

        wanted = incomplete.lower().replace("-", "_")
        known = [each for each in options_of(Scope(scope)) if each.name.startswith(wanted)]
        return [CompletionItem(each.name, help=each.help) for each in known]

    return complete


def values(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The values of the option named before, where it has but a few."""
    from bmgate.domain.policy import OPTIONS

    option = OPTIONS.get((ctx.params.get("option") or "").strip().lower().replace("-", "_"))
    return [] if option is None else _fitting(option.choices, incomplete)


def _fitting(words: Any, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(word) for word in words if word and word.startswith(incomplete)]


def _asked(ctx: click.Context, method: str, **params: Any) -> list[dict[str, Any]]:
    """What a method of the running gateway lists; nothing where that is not to be had."""
    from bmgate.cli.options import place
    from bmgate.control.client import ControlClient
    from bmgate.errors import GatewayError

    try:
        with ctx.scope(cleanup=False), ControlClient(place().folder.socket) as client:
            found: list[dict[str, Any]] = client.call(method, params, lambda _: None)
            return found
    except (GatewayError, OSError):
        return []
