"""How much text Bitmessage carries in one mail (3.6)."""

from bmgate.errors import TooLarge

MAX_TEXT = 261_644  # bytes of subject and body together; PyBitmessage's bound
MAX_SOURCE = 4 * MAX_TEXT  # characters; what normalising will not bring down, so no memory is spent on trying


def check_size(size: int) -> None:
    """Raise TooLarge when encoding 2 cannot carry `size` bytes of subject and body."""
    if size <= MAX_TEXT:
        return
    excess = max(1, size // 1000 - MAX_TEXT // 1000)
    raise TooLarge(
        f"text is {size // 1000} kB, Bitmessage carries {MAX_TEXT // 1000} kB; shorten it by about {excess} kB"
    )


def check_source(length: int) -> None:
    """Raise TooLarge for so many characters of text that the rest need not be looked at."""
    if length > MAX_SOURCE:
        check_size(length)
