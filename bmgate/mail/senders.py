"""Who a mail says it is from (M10): the addresses of From and Sender, undecided."""

from dataclasses import dataclass

from bmgate.errors import NotAllowed
from bmgate.mail.headers import AddrSpec, addresses_in, raw_fields
from bmgate.mail.parse import Part


@dataclass(frozen=True, slots=True)
class Senders:
    """The addresses of all From fields and of all Sender fields; `from_fields` counts the From fields."""

    from_fields: int
    authors: tuple[AddrSpec, ...]
    senders: tuple[AddrSpec, ...]

    def author(self) -> AddrSpec | None:
        """The one author, None when there is no From field (the envelope decides); raises NotAllowed for any else."""
        if self.from_fields == 0:
            return None
        if self.from_fields > 1 or len(self.authors) != 1:
            raise NotAllowed("the mail needs one From field with one address")
        return self.authors[0]


def senders(message: Part) -> Senders:
    """The From and Sender of a parsed mail; services compare every address with what the account owns."""
    fields = raw_fields(message, "From")
    return Senders(
        from_fields=len(fields),
        authors=tuple(address for raw in fields for address in addresses_in(raw)),
        senders=tuple(address for raw in raw_fields(message, "Sender") for address in addresses_in(raw)),
    )
