"""Taking out for good what was deleted some time ago: an identity with its keys, an account with all it has.

The order is that of the foreign keys. A large account goes in portions, each a short transaction.
"""

from sqlalchemy import ColumnElement, Select, Table, delete, select

from bmgate.domain.account import AccountId
from bmgate.domain.identity import IdentityId
from bmgate.domain.outbox import FINAL
from bmgate.storage.repositories.aliases import release
from bmgate.storage.repositories.contents import IS_KEPT, drop, remove_dropped
from bmgate.storage.repositories.scope import GatewayScope
from bmgate.storage.schema import account as accounts
from bmgate.storage.schema import alias as aliases
from bmgate.storage.schema import chan as chans
from bmgate.storage.schema import content as contents
from bmgate.storage.schema import enclosure as enclosures
from bmgate.storage.schema import expunged, metadata, outbox
from bmgate.storage.schema import identity as identities
from bmgate.storage.schema import mailbox as mailboxes
from bmgate.storage.schema import membership as memberships
from bmgate.storage.schema import message as messages
from bmgate.storage.schema import outbox_event as events
from bmgate.storage.schema import setting as settings
from bmgate.storage.schema import submission as submissions

PORTION = 500  # mails that go in one transaction


def purge_identity(scope: GatewayScope, identity: IdentityId) -> bool:
    """Its keys, and what the queue remembers of its mail; the mail stays. False while something is unfinished."""
    mine = select(submissions.c.id).where(submissions.c.identity == identity)
    unfinished = outbox.c.state.not_in([each.value for each in FINAL])
    live = select(outbox.c.id).where(outbox.c.submission.in_(mine), unfinished)
    if scope.connection.execute(live.limit(1)).first() is not None:
        return False
    _forget_queue(scope, mine)
    scope.connection.execute(delete(settings).where(settings.c.scope == "identity", settings.c.ref == identity))
    scope.connection.execute(delete(identities).where(identities.c.id == identity))
    return True


def purge_account(scope: GatewayScope, account: AccountId, now: int) -> bool:
    """Everything of an account, or a portion of it; False while there is more."""
    some = select(contents.c.id, contents.c.size_class).where(contents.c.account == account, IS_KEPT).limit(PORTION)
    portion = [(row.id, row.size_class) for row in scope.connection.execute(some)]
    scope.connection.execute(delete(messages).where(messages.c.content.in_([content for content, _ in portion])))
    drop(scope.connection, account, portion)
    if len(portion) == PORTION or not remove_dropped(scope.connection):
        return False
    _release_names(scope, account, now)
    _forget_queue(scope, select(submissions.c.id).where(submissions.c.account == account))
    scope.connection.execute(
        delete(expunged).where(expunged.c.mailbox.in_(select(mailboxes.c.id).where(mailboxes.c.account == account)))
    )
    for table in reversed(metadata.sorted_tables):
        if (mine := _of_account(table, account)) is not None:
            scope.connection.execute(delete(table).where(mine))
    scope.connection.execute(delete(chans).where(chans.c.id.not_in(select(memberships.c.chan))))
    scope.entered.pop(account, None)
    return True


def _release_names(scope: GatewayScope, account: AccountId, now: int) -> None:
    uuid = scope.connection.execute(select(accounts.c.uuid).where(accounts.c.id == account)).scalar_one()
    for name in scope.connection.execute(select(aliases.c.name).where(aliases.c.account == account)).scalars().all():
        release(scope, name, uuid, None, now)


def _forget_queue(scope: GatewayScope, mine: Select[int]) -> None:
    rows = select(outbox.c.id).where(outbox.c.submission.in_(mine))
    scope.connection.execute(delete(events).where(events.c.outbox.in_(rows)))
    scope.connection.execute(delete(outbox).where(outbox.c.submission.in_(mine)))
    scope.connection.execute(delete(enclosures).where(enclosures.c.submission.in_(mine)))
    scope.connection.execute(delete(submissions).where(submissions.c.id.in_(mine)))


def _of_account(table: Table, account: AccountId) -> ColumnElement[bool] | None:
    if table is accounts:
        return table.c.id == account
    return table.c.account == account if "account" in table.c else None
