"""What the errors of the house look like to a caller, for the whole tree."""

import pytest
from error_tree import made, tree

from bmgate.api.faults import Code, Fault
from bmgate.api.replies import fault_for
from bmgate.errors import (
    BadAddress,
    ConfigError,
    Conflict,
    GatewayError,
    IdentityDisabled,
    NotAllowed,
    NotOwner,
    RecipientMissing,
    StorageFull,
    TooDifficult,
    TooLarge,
)

FOREIGN = ("bmgate.imap", "bmgate.pop3")  # other doors' own words


@pytest.mark.parametrize("cls", list(tree(GatewayError, FOREIGN)), ids=lambda cls: cls.__name__)
def test_every_error_has_a_code_and_a_text(cls: type[GatewayError]) -> None:
    fault = fault_for(made(cls))
    assert fault.code in set(Code)
    assert str(fault)
    assert fault.line.startswith(f"API Error {fault.code:04}: ")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadAddress("checksumfailed", ""), 8),
        (BadAddress("invalidcharacters", ""), 9),
        (BadAddress("versiontoohigh", ""), 10),
        (BadAddress("ripetoolong", ""), 7),
        (BadAddress("varintmalformed", ""), 26),
        (NotOwner(""), 13),
        (IdentityDisabled(""), 14),
        (Conflict(""), 16),
        (TooLarge(""), 27),
        (RecipientMissing(""), 7),
        (NotAllowed(""), 21),
        (TooDifficult(""), 21),
        (StorageFull(""), 21),
        (Fault("", Code.CHAN_PRESENT), 24),
    ],
)
def test_what_tools_know_has_their_code(error: GatewayError, code: int) -> None:
    assert fault_for(error).code == code


def test_what_is_the_operators_is_not_told() -> None:
    assert "secret" not in str(fault_for(ConfigError("/secret/place")))
