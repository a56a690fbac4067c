"""The words that extensions add to commands of the base protocol, at hand where a command is read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bmgate.imap.cursor import Cursor
from bmgate.imap.data_items import FetchItem
from bmgate.imap.search_values import SearchKey
from bmgate.imap.status_items import StatusItem
from bmgate.mail.octets import Octets


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """By their names, upper case; the readers start behind the name."""

    fetch_items: "Mapping[str, Callable[[CommandCursor], FetchItem]]"
    search_keys: "Mapping[str, Callable[[CommandCursor], SearchKey]]"
    status_items: Mapping[str, StatusItem]


class CommandCursor(Cursor):
    """A reading position in a command of a server with that vocabulary."""

    def __init__(self, pieces: tuple[Octets, ...], vocabulary: Vocabulary, utf8: bool = False) -> None:
        super().__init__(pieces, utf8)
        self.vocabulary = vocabulary
