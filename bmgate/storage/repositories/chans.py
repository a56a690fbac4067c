"""Chans: keys that several accounts share, stored once, and the accounts that take part.

The keys are sealed under the master key: mail is recognised while nobody is logged in, and they belong to no one
account. The last member to leave takes them along.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, func, insert, select, update

from bmgate.bm.addresses import Address
from bmgate.bm.keys import PrivateKeys, PublicKeys
from bmgate.domain.account import AccountId
from bmgate.domain.chan import ChanId, ChanKey, Membership, MembershipId, NewChan
from bmgate.domain.mailbox import MailboxId
from bmgate.errors import Conflict, Missing
from bmgate.storage.repositories.scope import AccountScope, AnyRow, GatewayScope, portions
from bmgate.storage.schema import chan as chans
from bmgate.storage.schema import identity as identities
from bmgate.storage.schema import membership as memberships
from bmgate.storage.statements import Prepared
from bmgate.storage.vault import Purpose, Vault

_CHANS = select(chans).order_by(chans.c.id)
_SOME = _CHANS.where(chans.c.id.in_(bindparam("ids", expanding=True)))
_MEMBERS = (
    select(memberships, chans.c.version, chans.c.stream, chans.c.ripe)
    .join(chans, chans.c.id == memberships.c.chan)
    .order_by(memberships.c.id)
)
_MINE = _MEMBERS.where(memberships.c.account == bindparam("account"))
_EVERY = Prepared(_MINE)
_OF_MINE = Prepared(_MINE.where(memberships.c.id == bindparam("id")))
_BY_MAILBOX = Prepared(_MINE.where(memberships.c.mailbox == bindparam("mailbox")))
_IS_OF = tuple(chans.c[name] == bindparam(name) for name in ("ripe", "version", "stream"))
_BY_ADDRESS = Prepared(_MINE.where(*_IS_OF))
_BY_RIPE = Prepared(_MINE.where(chans.c.ripe == bindparam("ripe")))
_CHAN_BY_ADDRESS = Prepared(_CHANS.where(*_IS_OF))
_CHAN = Prepared(_CHANS.where(chans.c.id == bindparam("id")))
_COUNT = Prepared(select(func.count().label("number")).where(memberships.c.account == bindparam("account")))
_OUR_IDENTITY = Prepared(select(identities.c.id).where(identities.c.ripe == bindparam("ripe")))
_NEW_CHAN = Prepared(insert(chans).returning(chans.c.id))
_NEW_MEMBER = Prepared(insert(memberships).returning(memberships.c.id))


@dataclass(frozen=True, slots=True)
class ChanRepository:
    """The chans of all accounts, for receiving and sending."""

    scope: GatewayScope

    def receiving(self) -> list[ChanId]:
        """Every chan."""
        return [ChanId(each) for each in self.scope.connection.execute(select(chans.c.id)).scalars()]

    def receiving_keys(self, of: Collection[ChanId]) -> list[ChanKey]:
        """Of those that are still there."""
        rows = [row for portion in portions(of) for row in self.scope.connection.execute(_SOME, {"ids": portion})]
        return [ChanKey(ChanId(row.id), _address(row), _keys(self.scope.vault, row).encryption) for row in rows]

    def public_keys(self, address: Address) -> PublicKeys | None:
        """What a post to the chan is encrypted to; None when no account takes part."""
        row = _find(self.scope, address)
        return None if row is None else PublicKeys(row.signing_key, row.encryption_key)

    def members(self, chan: ChanId) -> list[Membership]:
        """Of all accounts, in the order in which they joined."""
        rows = self.scope.connection.execute(_MEMBERS.where(memberships.c.chan == chan))
        return [_read(row) for row in rows]

    def unscanned(self) -> list[Membership]:
        """Those whose posts are still looked for among the stored objects, oldest first."""
        rows = self.scope.connection.execute(_MEMBERS.where(memberships.c.scan_from.is_not(None)))
        return [_read(row) for row in rows]

    def note_scanned(self, membership: MembershipId, scan_from: int | None) -> None:
        """Where to go on, None for nowhere."""
        change = update(memberships).where(memberships.c.id == membership)
        self.scope.connection.execute(change.values(scan_from=scan_from))


@dataclass(frozen=True, slots=True)
class AccountChanRepository:
    """The chans in which one account takes part."""

    scope: AccountScope

    def all(self) -> list[Membership]:
        """In the order in which the account joined."""
        return [_read(row) for row in _EVERY.all(self.scope.connection, {"account": self.scope.account.id})]

    def count(self) -> int:
        """How many there are."""
        return int(_COUNT.scalar(self.scope.connection, {"account": self.scope.account.id}) or 0)

    def find(self, address: Address) -> Membership | None:
        """The account's part in the chan of that address."""
        return self._first(_BY_ADDRESS, **_named(address))

    def of_ripe(self, ripe: bytes) -> Membership | None:
        """The account's part in the chan of these keys, whatever the version of its address."""
        return self._first(_BY_RIPE, ripe=ripe)

    def by_mailbox(self, mailbox: MailboxId) -> Membership | None:
        """The chan whose posts that mailbox takes."""
        return self._first(_BY_MAILBOX, mailbox=mailbox)

    def join(self, chan: NewChan, mailbox: MailboxId, now: int) -> Membership:
        """Raises Conflict when the account takes part already, or the keys are those of an identity."""
        if _OUR_IDENTITY.first(self.scope.connection, {"ripe": chan.address.ripe}) is not None:
            raise Conflict(f"{chan.address} is an identity of this gateway, and cannot be a chan as well")
        if self.find(chan.address) is not None:
            raise Conflict(f"you take part in {chan.address} already")
        row = _find(self.scope, chan.address)
        account, chan_id = self.scope.account.id, ChanId(self._add(chan) if row is None else row.id)
        values = {"account": account, "chan": chan_id, "mailbox": mailbox, "joined_at": now, "scan_from": 0}
        new = MembershipId(_NEW_MEMBER.new_id(self.scope.connection, values))
        return Membership(new, account, chan_id, chan.address, mailbox, now, scan_from=0)

    def leave(self, membership: MembershipId) -> None:
        """The keys go with the last member; raises Missing."""
        left = self._first(_OF_MINE, id=membership)
        if left is None:
            raise Missing("you take no part in that chan")
        self.scope.connection.execute(delete(memberships).where(memberships.c.id == membership))
        others = select(func.count()).select_from(memberships).where(memberships.c.chan == left.chan)
        if not self.scope.connection.execute(others).scalar_one():
            self.scope.connection.execute(delete(chans).where(chans.c.id == left.chan))

    def private_keys(self, membership: MembershipId) -> PrivateKeys:
        """The keys that all members share; raises Missing."""
        found = self._first(_OF_MINE, id=membership)
        if found is None:
            raise Missing("you take no part in that chan")
        row = _CHAN.first(self.scope.connection, {"id": found.chan})
        assert row is not None, "a chan goes with its last member"
        return _keys(self.scope.vault, row)

    def _add(self, chan: NewChan) -> int:
        address, public = chan.address, chan.keys.public
        sealed = [
            self.scope.vault.seal(Purpose.ENCRYPTION_KEYS, key, b"chan", kind, address.ripe)
            for key, kind in ((chan.keys.signing, b"signing"), (chan.keys.encryption, b"encryption"))
        ]
        values = {
            "version": address.version,
            "stream": address.stream,
            "ripe": address.ripe,
            "signing_key": public.signing,
            "encryption_key": public.encryption,
            "sealed_signing_key": sealed[0],
            "sealed_encryption_key": sealed[1],
        }
        return _NEW_CHAN.new_id(self.scope.connection, values)

    def _first(self, statement: Prepared, **values: object) -> Membership | None:
        row = statement.first(self.scope.connection, {"account": self.scope.account.id, **values})
        return None if row is None else _read(row)


def _find(scope: AccountScope | GatewayScope, address: Address) -> AnyRow | None:
    row: AnyRow | None = _CHAN_BY_ADDRESS.first(scope.connection, _named(address))
    return row


def _named(address: Address) -> dict[str, object]:
    return {"ripe": address.ripe, "version": address.version, "stream": address.stream}


def _keys(vault: Vault, row: AnyRow) -> PrivateKeys:
    return PrivateKeys(
        vault.open(Purpose.ENCRYPTION_KEYS, row.sealed_signing_key, b"chan", b"signing", row.ripe),
        vault.open(Purpose.ENCRYPTION_KEYS, row.sealed_encryption_key, b"chan", b"encryption", row.ripe),
    )


def _read(row: AnyRow) -> Membership:
    return Membership(
        MembershipId(row.id),
        AccountId(row.account),
        ChanId(row.chan),
        _address(row),
        MailboxId(row.mailbox),
        row.joined_at,
        row.scan_from,
    )


def _address(row: AnyRow) -> Address:
    return Address(row.version, row.stream, row.ripe)
