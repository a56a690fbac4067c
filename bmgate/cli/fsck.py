"""`bmgate fsck`: whether the stored mail keeps its promises."""

from typing import TYPE_CHECKING

import click

from bmgate.cli.options import Place, json_option, place, place_options
from bmgate.errors import StorageFailed

if TYPE_CHECKING:
    from bmgate.storage.fsck import Problem


@click.command()
@json_option
@place_options
def fsck(as_json: bool) -> None:
    """Check the stored mail for damage; repairs nothing.

    Works while no gateway runs, and reads all mail. Exit code 0 when all is well, 1 when not. What was left
    half done, and goes at the next start, is remarked upon and no damage.
    """
    import asyncio

    from bmgate.cli.output import print_json
    from bmgate.storage.fsck import FILE

    where = place()
    where.folder.check()
    found = asyncio.run(_check(where))
    problems, remarks = [each for each in found if not each.is_remark], [each for each in found if each.is_remark]
    if as_json:
        print_json(
            [{"rule": each.rule, "detail": each.detail, "remark": each.is_remark} for each in (*problems, *remarks)]
        )
    else:
        for problem in problems:
            click.echo(f"{problem.rule}: {problem.detail}")
        for remark in remarks:
            click.echo(f"{remark.rule}, a remark: {remark.detail}")
        click.echo(f"{len(problems)} problems found." if problems else "All is well.")
        if any(problem.rule == FILE for problem in problems):
            click.echo(f"The file itself is damaged: bring back a backup from {where.folder.backups}")
    click.get_current_context().exit(1 if problems else 0)


async def _check(where: Place) -> "list[Problem]":
    from bmgate.app import open_gateway
    from bmgate.storage.fsck import FILE, Problem, check

    try:
        gateway = open_gateway(where.folder, where.config(), "bmgate fsck")
    except StorageFailed as error:
        return [Problem(FILE, str(error))]
    try:
        return await gateway.database.read(check)
    except StorageFailed as error:
        return [Problem(FILE, str(error))]
    finally:
        await gateway.close()
