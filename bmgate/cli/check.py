"""`bmgate check`: configuration, machine and data folder, before they make trouble."""

import click

from bmgate.cli.options import json_option, place, place_options

EXIT_CODES = {"ok": 0, "warning": 0, "error": 1, "configuration": 2}


@click.command()
@json_option
@place_options
def check(as_json: bool) -> None:
    """Look over configuration, machine and data folder; changes nothing.

    Exit code 2 for errors in the configuration, 1 for others, 0 when there are at most warnings.
    """
    from bmgate.cli.checks import all_findings
    from bmgate.cli.output import print_json, printable

    findings = list(all_findings(place()))
    if as_json:
        print_json([{"kind": each.kind, "what": each.what, "text": each.text} for each in findings])
    else:
        for each in findings:
            click.echo(f"{each.kind:<13} {each.what}: " + "\n    ".join(map(printable, each.text.split("\n"))))
    click.get_current_context().exit(max(EXIT_CODES[each.kind] for each in findings))
