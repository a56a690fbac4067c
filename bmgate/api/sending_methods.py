"""Methods that send: a message, a broadcast, an object that the caller made himself."""

from bmgate.api.faults import Code, Fault
from bmgate.api.handles import ack_data_of
from bmgate.api.ports import ApiServices
from bmgate.api.table import Method, Table
from bmgate.api.values import Wire, address, number, text, unbase64, unhex, words
from bmgate.bm.addresses import Address
from bmgate.bm.encodings import EXTENDED, SIMPLE
from bmgate.domain.account import AccountId
from bmgate.mail.wishes import clamp_ttl
from bmgate.services.objects.keys import Demand
from bmgate.services.texts.sending import Text
from bmgate.units import DAY

TTL = 4 * DAY
MAX_TEXT = 2**18 - 500  # bytes of subject and message
HASH_DIGITS = 32  # so PyBitmessage says, of digits where it means bytes
NONCE_TRIALS, EXTRA_BYTES = 1000, 1000


class SendingMethods:
    """All that leaves goes through the submission of mail, or is an object already."""

    def __init__(self, services: ApiServices) -> None:
        self._texts, self._dissemination = services.texts, services.dissemination

    def table(self) -> Table:
        """Each under its name, and under its former names."""
        disseminate = Method(
            self._disseminate,
            1,
            3,
            "publish a finished msg: object (hex; nonce 0: do the work), nonceTrials, extraBytes",
        )
        by_hash = Method(self._by_hash, 1, 1, "finds nothing, as it does in PyBitmessage: hash")
        return {
            "sendMessage": Method(
                self._send, 4, 6, "send a message: to, from, subject (base64), message (base64), encodingType, TTL"
            ),
            "sendBroadcast": Method(
                self._broadcast, 3, 5, "send a broadcast: from, subject (base64), message (base64), encodingType, TTL"
            ),
            "disseminatePreEncryptedMsg": disseminate,
            "disseminatePreparedObject": disseminate,
            "disseminatePubkey": Method(self._pubkey, 1, 1, "out of use: payload (hex)"),
            "getMessageDataByDestinationHash": by_hash,
            "getMessageDataByDestinationTag": by_hash,
        }

    async def _send(
        self,
        account: AccountId,
        to: Wire,
        sender: Wire,
        subject: Wire,
        message: Wire,
        encoding: Wire = SIMPLE,
        ttl: Wire = TTL,
    ) -> Wire:
        _check(subject, message, encoding)
        recipient = address(to)
        return await self._submit(account, address(sender), recipient, subject, message, ttl)

    async def _broadcast(
        self,
        account: AccountId,
        sender: Wire,
        subject: Wire,
        message: Wire,
        encoding: Wire = SIMPLE,
        ttl: Wire = TTL,
    ) -> Wire:
        _check(subject, message, encoding)
        return await self._submit(account, address(sender), None, subject, message, ttl)

    async def _submit(
        self, account: AccountId, sender: Address, to: Address | None, subject: Wire, message: Wire, ttl: Wire
    ) -> Wire:
        text_ = Text(sender, to, words(subject), words(message), clamp_ttl(number(ttl)))
        return ack_data_of(await self._texts.send(account, text_)).hex()

    async def _disseminate(
        self, account: AccountId, written: Wire, trials: Wire = NONCE_TRIALS, extra: Wire = EXTRA_BYTES
    ) -> Wire:
        encoded, demand = unhex(written), Demand(number(trials), number(extra))
        return (await self._dissemination.publish(account, encoded, demand)).hex()

    async def _pubkey(self, _account: AccountId, _payload: Wire) -> Wire:
        raise Fault("Unexpected API Failure - disseminatePubkey makes objects that the network does not take")

    async def _by_hash(self, _account: AccountId, digest: Wire) -> Wire:
        if len(text(digest)) != HASH_DIGITS:
            raise Fault("The length of hash should be 32 bytes (encoded in hex thus 64 characters).", Code.HASH_LENGTH)
        unhex(digest)
        return {"receivedMessageDatas": []}


def _check(subject: Wire, message: Wire, encoding: Wire) -> None:
    """Which of the two encodings travels is decided by what the recipient reads."""
    if encoding not in (SIMPLE, EXTENDED):
        raise Fault("The encoding type must be 2 or 3.", Code.ENCODING)
    if len(unbase64(subject)) + len(unbase64(message)) > MAX_TEXT:
        raise Fault("Message is too long.", Code.TOO_LONG)
