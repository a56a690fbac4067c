"""Methods on messages that came and messages that were sent."""

from bmgate.api.faults import Code, Fault
from bmgate.api.handles import (
    ACK_DIGITS,
    ack_data_of,
    content_of,
    msgid_of_content,
    msgid_of_row,
    row_of_ack_data,
    row_of_msgid,
)
from bmgate.api.ports import ApiServices
from bmgate.api.statuses import NOT_FOUND, status_of, status_of_keywords
from bmgate.api.table import Method, Table
from bmgate.api.values import Wire, b64, flag, prefixed, text, unhex
from bmgate.domain.account import AccountId
from bmgate.services.texts.received import Received
from bmgate.services.texts.sent import Sent

BROADCAST = "[Broadcast subscribers]"
SIMPLE = 2  # encoding


class MessageMethods:
    """Inbox and sent, as PyBitmessage has them; its trash is the mailbox Trash."""

    def __init__(self, services: ApiServices) -> None:
        self._received, self._sent = services.received, services.sent

    def table(self) -> Table:
        """Each under its name, and under its former names."""
        inbox_ids = Method(self._inbox_ids, 0, 0, "the msgids of all that came")
        inbox_one = Method(self._inbox_one, 1, 2, "one message that came: msgid, readStatus to set")
        by_receiver = Method(self._by_receiver, 1, 1, "what came for one own address: address")
        sent_ids = Method(self._sent_ids, 0, 0, "the msgids of all that was sent")
        sent_one = Method(self._sent_one, 1, 1, "one message that was sent: msgid")
        by_sender = Method(self._by_sender, 1, 1, "what was sent by one own address: address")
        return {
            "getAllInboxMessages": Method(self._inbox, 0, 0, "all that came"),
            "getAllInboxMessageIds": inbox_ids,
            "getAllInboxMessageIDs": inbox_ids,
            "getInboxMessageById": inbox_one,
            "getInboxMessageByID": inbox_one,
            "getInboxMessagesByReceiver": by_receiver,
            "getInboxMessagesByAddress": by_receiver,
            "getAllSentMessages": Method(self._all_sent, 0, 0, "all that was sent"),
            "getAllSentMessageIds": sent_ids,
            "getAllSentMessageIDs": sent_ids,
            "getSentMessageById": sent_one,
            "getSentMessageByID": sent_one,
            "getSentMessagesByAddress": by_sender,
            "getSentMessagesBySender": by_sender,
            "getSentMessageByAckData": Method(self._sent_by_ack, 1, 1, "one message that was sent: ackdata"),
            "getStatus": Method(self._status, 1, 1, "what became of a message: ackdata"),
            "trashMessage": Method(self._trash, 1, 1, "move a message to the trash: msgid"),
            "trashInboxMessage": Method(self._trash_inbox, 1, 1, "move what came to the trash: msgid"),
            "trashSentMessage": Method(self._trash_sent, 1, 1, "move what was sent to the trash: msgid"),
            "trashSentMessageByAckData": Method(
                self._trash_sent_by_ack, 1, 1, "move what was sent to the trash: ackdata"
            ),
            "undeleteMessage": Method(self._undelete, 1, 1, "take a message out of the trash: msgid"),
        }

    # -- what came -------------------------------------------------------------------------------------------------

    async def _inbox(self, account: AccountId) -> Wire:
        return {"inboxMessages": [_received_value(each) for each in await self._received.all(account)]}

    async def _inbox_ids(self, account: AccountId) -> Wire:
        names = await self._received.names(account)
        return {"inboxMessageIds": [{"msgid": msgid_of_content(uuid).hex()} for uuid in names]}

    async def _inbox_one(self, account: AccountId, msgid: Wire, read_status: Wire = None) -> Wire:
        uuid = content_of(unhex(msgid))
        if read_status is not None:
            seen = flag(read_status, "readStatus")
            if uuid is not None:
                await self._received.set_seen(account, uuid, seen)
        found = None if uuid is None else await self._received.one(account, uuid)
        return None if found is None else {"inboxMessage": [_received_value(found)]}

    async def _by_receiver(self, account: AccountId, recipient: Wire) -> Wire:
        wanted = text(recipient)
        if wanted == BROADCAST:
            found = [each for each in await self._received.all(account) if each.is_public]
        else:
            found = await self._received.all(account, prefixed(wanted))
        return {"inboxMessages": [_received_value(each) for each in found]}

    # -- what was sent ---------------------------------------------------------------------------------------------

    async def _all_sent(self, account: AccountId) -> Wire:
        return {"sentMessages": [_sent_value(each) for each in await self._sent.all(account)]}

    async def _sent_ids(self, account: AccountId) -> Wire:
        return {"sentMessageIds": [{"msgid": _msgid(each).hex()} for each in await self._sent.all(account)]}

    async def _by_sender(self, account: AccountId, sender: Wire) -> Wire:
        wanted = prefixed(sender)
        found = [each for each in await self._sent.all(account) if each.sender == wanted]
        return {"sentMessages": [_sent_value(each) for each in found]}

    async def _sent_one(self, account: AccountId, msgid: Wire) -> Wire:
        return _one_sent(await self._find_sent(account, unhex(msgid)))

    async def _sent_by_ack(self, account: AccountId, ack_data: Wire) -> Wire:
        name = row_of_ack_data(unhex(ack_data))
        return _one_sent(None if name is None else await self._sent.of_row(account, name))

    async def _status(self, account: AccountId, ack_data: Wire) -> Wire:
        if len(text(ack_data)) < ACK_DIGITS:
            raise Fault("Invalid ackData object size.", Code.ACK_DATA)
        name = row_of_ack_data(unhex(ack_data))
        row = None if name is None else await self._sent.row(account, name)
        return NOT_FOUND if row is None else status_of(row)

    async def _find_sent(self, account: AccountId, msgid: bytes) -> Sent | None:
        name, uuid = row_of_msgid(msgid), content_of(msgid)
        if name is not None:
            return await self._sent.of_row(account, name)
        return None if uuid is None else await self._sent.one(account, uuid)

    # -- the trash -------------------------------------------------------------------------------------------------

    async def _trash(self, account: AccountId, msgid: Wire) -> Wire:
        await self._trash_inbox(account, msgid)
        await self._trash_sent(account, msgid)
        return "Trashed message (assuming message existed)."

    async def _trash_inbox(self, account: AccountId, msgid: Wire) -> Wire:
        uuid = content_of(unhex(msgid))
        if uuid is not None:
            await self._received.trash(account, uuid)
        return "Trashed inbox message (assuming message existed)."

    async def _trash_sent(self, account: AccountId, msgid: Wire) -> Wire:
        await self._trash_found(account, await self._find_sent(account, unhex(msgid)))
        return "Trashed sent message (assuming message existed)."

    async def _trash_sent_by_ack(self, account: AccountId, ack_data: Wire) -> Wire:
        name = row_of_ack_data(unhex(ack_data))
        await self._trash_found(account, None if name is None else await self._sent.of_row(account, name))
        return "Trashed sent message (assuming message existed)."

    async def _trash_found(self, account: AccountId, sent: Sent | None) -> None:
        if sent is not None and sent.uuid:
            await self._sent.trash(account, sent.uuid)

    async def _undelete(self, account: AccountId, msgid: Wire) -> Wire:
        uuid = content_of(unhex(msgid))
        if uuid is not None:
            await self._received.restore(account, uuid)
        sent = await self._find_sent(account, unhex(msgid))
        if sent is not None and sent.uuid:
            await self._sent.restore(account, sent.uuid)
        return "Undeleted message"


def _received_value(message: Received) -> dict[str, Wire]:
    return {
        "msgid": msgid_of_content(message.uuid).hex(),
        "toAddress": BROADCAST if message.is_public else message.recipient,
        "fromAddress": message.sender,
        "subject": b64(message.subject),
        "message": b64(message.body),
        "encodingType": message.encoding,
        "receivedTime": str(message.received_at),
        "read": int(message.seen),
    }


def _one_sent(message: Sent | None) -> Wire:
    return None if message is None else {"sentMessage": [_sent_value(message)]}


def _sent_value(message: Sent) -> dict[str, Wire]:
    row = message.row
    return {
        "msgid": _msgid(message).hex(),
        "toAddress": message.recipient or BROADCAST,
        "fromAddress": message.sender,
        "subject": b64(message.subject),
        "message": b64(message.body),
        "encodingType": SIMPLE,
        "lastActionTime": message.acted_at,
        "status": status_of_keywords(message.keywords) if row is None else status_of(row),
        "ackData": "" if row is None else ack_data_of(row).hex(),
    }


def _msgid(message: Sent) -> bytes:
    return msgid_of_content(message.uuid) if message.row is None else msgid_of_row(message.row.name)
