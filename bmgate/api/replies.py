"""What the errors of the house look like to a caller of the API.

`REPLIES` has a row for each family; a class without one is answered like its parent. Tools know few codes: what has
none of its own is an unexpected failure that says why.
"""

from bmgate import errors
from bmgate.api.faults import Code, Fault

REPLIES: dict[type[errors.GatewayError], Code] = {
    errors.GatewayError: Code.UNEXPECTED,
    errors.BadAddress: Code.ADDRESS,
    errors.TooLarge: Code.TOO_LONG,
    errors.NotOwner: Code.NOT_OURS,
    errors.IdentityDisabled: Code.DISABLED,
    errors.RecipientMissing: Code.ADDRESS,
    errors.Conflict: Code.ALREADY_THERE,
}
_HIDDEN = (errors.ConfigError,)
"""Families whose texts are for the operator."""

ADDRESS_FAULTS: dict[str, tuple[Code, str]] = {
    "checksumfailed": (Code.CHECKSUM, "Checksum failed for address: "),
    "invalidcharacters": (Code.CHARACTERS, "Invalid characters in address: "),
    "versiontoohigh": (Code.VERSION_TOO_HIGH, "Address version number too high (or zero) in address: "),
    "versiontoolow": (Code.VERSION_UNUSABLE, "The address version number currently must be 2, 3 or 4: "),
    "varintmalformed": (Code.VARINT, "Malformed varint in address: "),
}
"""By the word for what is wrong with an address; all others are code 7."""


def fault_for(error: errors.GatewayError) -> Fault:
    """How a call that raised `error` is answered."""
    if isinstance(error, Fault):
        return error
    if isinstance(error, errors.BadAddress):
        return Fault(str(error), ADDRESS_FAULTS.get(error.status, (Code.ADDRESS, ""))[0])
    code = next(REPLIES[kind] for kind in type(error).__mro__ if kind in REPLIES)
    text = "internal error" if isinstance(error, _HIDDEN) else str(error)
    return Fault(f"Unexpected API Failure - {text}" if code is Code.UNEXPECTED else text, code)
