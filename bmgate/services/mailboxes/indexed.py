"""Mail with its index, made once, when it is stored."""

from dataclasses import dataclass

from bmgate.domain.mailbox import ContentId, NewContent
from bmgate.domain.ports.account_store import AccountStore
from bmgate.mail.headers import message_ids_in
from bmgate.mail.structure import MessageIndex, encode_index, index_message


@dataclass(frozen=True, slots=True)
class Indexed:
    """Mail with its index, ready to be stored."""

    raw: bytes
    index: MessageIndex

    @property
    def message_id(self) -> str:
        """With its angle brackets; empty when the mail has none."""
        value = self.index.value(self.raw, "message-id")
        return next(iter(message_ids_in(value)), "") if value else ""

    def content(self, message_id_tag: bytes = b"", vector_tag: bytes = b"") -> NewContent:
        """As the two blobs of storage."""
        split = self.index.header_size
        return NewContent(self.raw[:split], encode_index(self.index), self.raw[split:], message_id_tag, vector_tag)

    def store(self, mine: AccountStore, message_id_tag: bytes, vector_tag: bytes) -> ContentId:
        """Raises OverQuota."""
        return mine.messages.add_content(self.content(message_id_tag, vector_tag))


def to_minute(now: int) -> int:
    """When mail of our own making is said to have come: the exact second is nobody's business."""
    return now // 60 * 60


def indexed(raw: bytes) -> Indexed:
    """Index `raw` (RFC 5322, any line ends); about a millisecond for 4 kB, so large mail goes through a thread."""
    return Indexed(raw, index_message(raw))
