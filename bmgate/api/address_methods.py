"""Methods on the account's own addresses, and on addresses as such."""

import asyncio
from dataclasses import replace

from bmgate.api.faults import Code, Fault
from bmgate.api.ports import ApiServices
from bmgate.api.table import Method, Table
from bmgate.api.values import Wire, address, b64, flag, label, multiple, number, passphrase, passphrase_bytes, text
from bmgate.bm.addresses import Address, parse_address
from bmgate.bm.keys import deterministic_keys
from bmgate.bm.network import STREAM
from bmgate.domain.account import AccountId
from bmgate.domain.chan import Membership
from bmgate.domain.identity import Identity
from bmgate.errors import BadAddress, Conflict, LimitReached, Missing, NotAllowed
from bmgate.mail.text import clean_line
from bmgate.services.chans.chans import Joining
from bmgate.services.identities import AddressRequest
from bmgate.services.mailboxes.mailbox_names import fitting

MAX_ADDRESSES = 999
CHAN = "[chan] "
NOT_FOUND = "Could not find this address in your keys.dat file."
_VERSIONS = (3, 4)


class AddressMethods:
    """Identities and chans, which are one thing to callers."""

    def __init__(self, services: ApiServices) -> None:
        self._identities, self._chans = services.identities, services.chans
        self._searching: set[AccountId] = set()

    def table(self) -> Table:
        """Each under its name."""
        return {
            "decodeAddress": Method(self._decode, 1, 1, "what an address says: address"),
            "listAddresses": Method(self._list, 0, 0, "own addresses and chans"),
            "listAddresses2": Method(self._list_b64, 0, 0, "own addresses and chans, labels in base64"),
            "createRandomAddress": Method(
                self._create_random,
                1,
                4,
                "a new address: label (base64), eighteenByteRipe, totalDifficulty, smallMessageDifficulty",
                searches=True,
            ),
            "createDeterministicAddresses": Method(
                self._create_deterministic,
                1,
                7,
                "addresses of a passphrase: passphrase (base64), number, version, stream, eighteenByteRipe, "
                "totalDifficulty, smallMessageDifficulty",
                searches=True,
            ),
            "getDeterministicAddress": Method(
                self._deterministic,
                3,
                3,
                "the first address of a passphrase: passphrase (base64), version, stream",
                searches=True,
            ),
            "createChan": Method(self._create_chan, 1, 1, "join or found a chan: passphrase (base64)"),
            "joinChan": Method(self._join_chan, 2, 2, "join a chan: passphrase (base64), address"),
            "leaveChan": Method(self._leave_chan, 1, 1, "leave a chan: address"),
            "deleteAddress": Method(self._delete, 1, 1, "delete an own address, or leave a chan: address"),
            "enableAddress": Method(self._enable, 1, 2, "use an own address, or do not: address, enable"),
        }

    # -- looking ---------------------------------------------------------------------------------------------------

    async def _decode(self, _account: AccountId, written: Wire) -> Wire:
        try:
            parsed = parse_address(text(written))
        except BadAddress as error:
            return {"status": error.status, "addressVersion": 0, "streamNumber": 0, "ripe": ""}
        return {
            "status": "success",
            "addressVersion": parsed.version,
            "streamNumber": parsed.stream,
            "ripe": b64(parsed.ripe),
        }

    async def _list(self, account: AccountId) -> Wire:
        return {"addresses": await self._all(account)}

    async def _list_b64(self, account: AccountId) -> Wire:
        return {"addresses": [{**each, "label": b64(str(each["label"]))} for each in await self._all(account)]}

    async def _all(self, account: AccountId) -> list[dict[str, Wire]]:
        own = [
            _listed(identity.address, identity.label, identity.enabled, is_chan=False)
            for identity in await self._identities.all(account)
        ]
        chans = [
            _listed(chan.membership.address, CHAN + chan.label, True, is_chan=True)
            for chan in await self._chans.all(account)
        ]
        return own + chans

    async def _deterministic(self, _account: AccountId, phrase: Wire, version: Wire, stream: Wire) -> Wire:
        secret = passphrase_bytes(phrase)
        wanted = _version(version, "The address version number currently must be 3 or 4.")
        _check_stream(stream, " The stream number must be 1. Others aren't supported.")
        keys = await asyncio.to_thread(lambda: next(deterministic_keys(secret)))
        return str(keys.public.address(wanted, STREAM))

    # -- making and ending -----------------------------------------------------------------------------------------

    async def _create_random(
        self, account: AccountId, name: Wire, eighteen: Wire = False, total: Wire = 0, small: Wire = 0
    ) -> Wire:
        request = AddressRequest(label=label(name), leading_zeros=2 if eighteen else 1)
        made = await self._make(account, request, total, small)
        return str(made[0].address)

    async def _create_deterministic(
        self,
        account: AccountId,
        phrase: Wire,
        count: Wire = 1,
        version: Wire = 0,
        stream: Wire = 0,
        eighteen: Wire = False,
        total: Wire = 0,
        small: Wire = 0,
    ) -> Wire:
        if not text(phrase):
            raise Fault("The specified passphrase is blank.", Code.BLANK_PASSPHRASE)
        zeros = 2 if flag(eighteen, "eighteenByteRipe") else 1
        secret = passphrase(phrase)
        wanted = _version(version or 4, "The address version number currently must be 3, 4, or 0 (auto-select).")
        _check_stream(stream or STREAM, "The stream number must be 1 (or 0 which means auto-select).")
        how_many = number(count)
        if how_many <= 0:
            raise Fault("Why would you ask me to generate 0 addresses for you?", Code.NO_ADDRESSES)
        if how_many > MAX_ADDRESSES:
            raise Fault(
                f"You have (accidentally?) specified too many addresses to make. Maximum {MAX_ADDRESSES}.",
                Code.TOO_MANY_ADDRESSES,
            )
        request = AddressRequest(passphrase=secret, version=wanted, leading_zeros=zeros, number=how_many)
        made = await self._make(account, request, total, small)
        return {"addresses": [str(identity.address) for identity in made]}

    async def _make(self, account: AccountId, request: AddressRequest, total: Wire, small: Wire) -> list[Identity]:
        """One request of an account at a time: short addresses are hours of work."""
        usual = (max(1, multiple(each)) for each in (total, small))  # 0 is the usual work
        request = replace(request, difficulty=next(usual), small_difficulty=next(usual))
        if account in self._searching:
            raise LimitReached("addresses are being made for this account already")
        self._searching.add(account)
        try:
            made = await self._identities.new_some(account, request, if_missing=bool(request.passphrase))
        finally:
            self._searching.discard(account)
        return [named.identity for named in made]

    async def _enable(self, account: AccountId, written: Wire, enable: Wire = True) -> Wire:
        wanted, enabled = address(written), flag(enable, "enable")
        if await self._chan(account, wanted) is not None:
            if not enabled:
                raise Fault("Unexpected API Failure - a chan cannot be disabled; leave it, or mute it")
            return "success"
        await self._require_own(account, wanted)
        await self._identities.enable(account, str(wanted), enabled)
        return "success"

    async def _delete(self, account: AccountId, written: Wire) -> Wire:
        wanted = address(written)
        if await self._chan(account, wanted) is not None:
            await self._give_up(account, wanted)
            return "success"
        await self._require_own(account, wanted)
        await self._identities.delete(account, str(wanted))
        return "success"

    # -- chans -----------------------------------------------------------------------------------------------------

    async def _create_chan(self, account: AccountId, phrase: Wire) -> Wire:
        try:
            chan, _ = await self._chans.put(_joining(account, phrase))
        except Conflict as error:
            raise Fault("Chan address is already present.", Code.CHAN_PRESENT) from error
        return str(chan.membership.address)

    async def _join_chan(self, account: AccountId, phrase: Wire, written: Wire) -> Wire:
        joining = _joining(account, phrase, address(written))
        try:
            await self._chans.put(joining)
        except Conflict as error:
            raise Fault("Chan address is already present.", Code.CHAN_PRESENT) from error
        except NotAllowed as error:
            raise Fault("Chan name does not match address.", Code.CHAN_MISMATCH) from error
        return "success"

    async def _leave_chan(self, account: AccountId, written: Wire) -> Wire:
        wanted = address(written)
        if await self._chan(account, wanted) is None:
            await self._require_own(account, wanted)
            raise Fault("Specified address is not a chan address. Use deleteAddress API call instead.", Code.NOT_A_CHAN)
        await self._give_up(account, wanted)
        return "success"

    async def _give_up(self, account: AccountId, chan: Address) -> None:
        """Somebody else may have left it since it was looked up."""
        try:
            await self._chans.leave(account, str(chan))
        except Missing as error:
            raise Fault(NOT_FOUND, Code.NOT_OURS) from error

    async def _chan(self, account: AccountId, wanted: Address) -> Membership | None:
        chans = await self._chans.all(account)
        return next((chan.membership for chan in chans if chan.membership.address == wanted), None)

    async def _require_own(self, account: AccountId, wanted: Address) -> None:
        if all(identity.address != wanted for identity in await self._identities.all(account)):
            raise Fault(NOT_FOUND, Code.NOT_OURS)


def _joining(account: AccountId, phrase: Wire, chan: Address | None = None) -> Joining:
    """By a passphrase of any bytes; where they are no text, the label shows most of them."""
    data = passphrase_bytes(phrase)
    try:
        return Joining(account, data.decode(), chan)
    except UnicodeDecodeError:
        shown = fitting(clean_line(data.decode(errors="replace")))
        return Joining(account, data.decode(errors="surrogateescape"), chan, shown)


def _listed(own: Address, name: str, enabled: bool, *, is_chan: bool) -> dict[str, Wire]:
    return {"label": name, "address": str(own), "stream": own.stream, "enabled": enabled, "chan": is_chan}


def _version(value: Wire, text_: str) -> int:
    if number(value) not in _VERSIONS:
        raise Fault(f"{text_} {value} isn't supported.", Code.ADDRESS_VERSION)
    return number(value)


def _check_stream(value: Wire, text_: str) -> None:
    if number(value) != STREAM:
        raise Fault(text_, Code.STREAM)
