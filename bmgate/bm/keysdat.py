"""keys.dat, the file in which PyBitmessage and notbit keep addresses with their private keys.

An INI file: a section for each address, its name the address, and sections of settings that are none of our business.
PyBitmessage writes literal percent signs twice. It also lets one pair of keys have an address of each version: all of
them are read, and which one is used is for others to say. Whoever reads a file gets all of it or an error that names
section and key; texts never repeat a private key. Source: protocol reference 13.1; notbit adds contacts.
"""

import codecs
import configparser
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bmgate.bm.addresses import PREFIX, Address, parse_address
from bmgate.bm.keys import KEY_SIZE, PrivateKeys, decode_wif, encode_wif
from bmgate.errors import BadAddress, ProtocolError
from bmgate.units import DAY

MAX_SIZE = 16 * 1024 * 1024  # bytes: a hundred thousand addresses are not half of it
SETTINGS = "bitmessagesettings"
CHAN_MARK = "[chan]"  # before the label of a chan
NETWORK_MINIMUM = 1000  # of both demands
OLD_UNITS_UNTIL = 9  # `settingsversion` up to which demands are in the units of protocol v2
OLD_TRIALS, OLD_EXTRA = 320, 14_000  # what was difficulty 1 there
SETTINGS_VERSION = 10

MONTH = 2_629_800  # seconds

_INTEGER = re.compile(r"[0-9]{1,18}", re.ASCII)
_AMOUNT = re.compile(r"[0-9]{1,9}(\.[0-9]{0,9})?", re.ASCII)
_WORDS = re.compile(rb"\s*(label|mailinglistname)\s*=", re.IGNORECASE)
_TRUE, _FALSE = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off", ""})


class BadKeysFile(ProtocolError):
    """A keys.dat that cannot be read, or says what cannot be."""


@dataclass(frozen=True, slots=True, repr=False)
class KeysEntry:
    """One address of a keys.dat. The demands are in the units of protocol v3, 1,000 being the network's minimum.

    `list_name` is that of a mailing list and None for other addresses; `last_pubkey_at` is in Unix seconds.
    """

    address: Address
    keys: PrivateKeys
    label: str = ""
    enabled: bool = True
    is_chan: bool = False
    list_name: str | None = None
    acknowledges: bool = True
    nonce_trials_per_byte: int = NETWORK_MINIMUM
    payload_length_extra_bytes: int = NETWORK_MINIMUM
    last_pubkey_at: int | None = None


@dataclass(frozen=True, slots=True)
class KeysContact:
    """An address without private keys, as notbit keeps those it wrote to."""

    address: Address
    label: str


@dataclass(frozen=True, slots=True)
class KeysFile:
    """All addresses of a file, in its order; `blacklist` is False where a whitelist rules.

    `ttl` and `give_up` are in seconds, 0 where the file does not say.
    """

    entries: tuple[KeysEntry, ...]
    contacts: tuple[KeysContact, ...] = ()
    blacklist: bool = True
    ttl: int = 0
    give_up: int = 0


def read_keys_file(data: bytes) -> KeysFile:
    """A whole keys.dat; raises BadKeysFile."""
    if len(data) > MAX_SIZE:
        raise BadKeysFile(f"{len(data)} bytes are too many for a keys.dat")
    parser = _parser()
    try:
        parser.read_string(_decoded(data), "keys.dat")
    except configparser.Error as error:
        raise BadKeysFile(f"no INI file: {type(error).__name__} in line {_line_of(error)}") from error
    if not parser.sections():
        raise BadKeysFile("no keys.dat: there is no section in it" if data.strip() else "no keys.dat: it is empty")
    version = _settings_version(parser)
    sections = [parser[name] for name in parser.sections() if name[: len(PREFIX)].upper() == PREFIX]
    named = {section.name for section in sections}
    for name in parser.sections():
        if name not in named and "privsigningkey" in parser[name]:
            raise BadKeysFile(f"[{name[:60]}]: a section with private keys is named by an address, {PREFIX}...")
    entries = tuple(_entry(section, version) for section in sections if "privsigningkey" in section)
    contacts = tuple(_contact(section) for section in sections if "privsigningkey" not in section)
    settings = parser[SETTINGS] if parser.has_section(SETTINGS) else {}
    return KeysFile(
        entries,
        contacts,
        blacklist=settings.get("blackwhitelist", "black").strip() != "white",
        ttl=int(_amount(settings, "ttl")),
        give_up=int(
            _amount(settings, "stopresendingafterxdays") * DAY + _amount(settings, "stopresendingafterxmonths") * MONTH
        ),
    )


def _line_of(error: configparser.Error) -> int | str:
    """The first of those that a list of errors names."""
    errors = getattr(error, "errors", None)
    line: int | str = errors[0][0] if errors else getattr(error, "lineno", "?")
    return line


def write_keys_file(entries: Iterable[KeysEntry]) -> bytes:
    """A keys.dat that PyBitmessage reads beside its own settings."""
    parser = _parser()
    parser[SETTINGS] = {"settingsversion": str(SETTINGS_VERSION)}
    for entry in entries:
        parser[str(entry.address)] = dict(_lines(entry))
    out = io.StringIO()
    parser.write(out)
    return out.getvalue().encode()


def _decoded(data: bytes) -> str:
    """UTF-8, with or without its mark. Words of people may be in Latin-1, as files of old have them.

    Where no line ends with LF, CR ends them.
    """
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise BadKeysFile("in UTF-16; save it as UTF-8") from error
    lines = data.removeprefix(codecs.BOM_UTF8).split(b"\n")
    return "\n".join(_decoded_line(number, line) for number, line in enumerate(lines, 1))


def _decoded_line(number: int, line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        if _WORDS.match(line):
            return line.decode("latin-1")
        raise BadKeysFile(f"not UTF-8 in line {number}") from error


def _parser() -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(
        default_section="", delimiters=("=",), comment_prefixes=("#", ";"), strict=True
    )
    parser.optionxform = str.lower  # type: ignore[assignment,method-assign]  # mypy takes it for a method
    return parser


def _settings_version(parser: configparser.RawConfigParser) -> int:
    text = parser.get(SETTINGS, "settingsversion", fallback=str(SETTINGS_VERSION))
    if not _INTEGER.fullmatch(text):
        raise BadKeysFile(f"[{SETTINGS}] settingsversion: {text[:20]!r} is no number")
    return int(text)


def _amount(settings: Mapping[str, str], key: str) -> float:
    """A number of the settings; 0 where there is none, or nothing that PyBitmessage could use either."""
    text = settings.get(key, "").strip()
    return float(text) if _AMOUNT.fullmatch(text) else 0.0


# -- reading one section ---------------------------------------------------------------------------------------------


def _entry(section: configparser.SectionProxy, settings_version: int) -> KeysEntry:
    address = _address(section)
    keys = PrivateKeys(_private_key(section, "privsigningkey"), _private_key(section, "privencryptionkey"))
    if keys.public.ripe != address.ripe:
        raise BadKeysFile(f"[{section.name}]: these private keys make another address")
    trials, extra = _number(section, "noncetrialsperbyte"), _number(section, "payloadlengthextrabytes")
    if settings_version <= OLD_UNITS_UNTIL:
        trials, extra = _in_new_units(trials, extra)
    is_chan = _flag(section, "chan")
    label = _text(section, "label")
    return KeysEntry(
        address=address,
        keys=keys,
        label=label.removeprefix(CHAN_MARK).strip() if is_chan else label,
        enabled=_flag(section, "enabled", default=True),
        is_chan=is_chan,
        list_name=_text(section, "mailinglistname") if _flag(section, "mailinglist") else None,
        acknowledges=not _flag(section, "dontsendack"),
        nonce_trials_per_byte=max(trials or NETWORK_MINIMUM, NETWORK_MINIMUM),
        payload_length_extra_bytes=max(extra or NETWORK_MINIMUM, NETWORK_MINIMUM),
        last_pubkey_at=_number(section, "lastpubkeysendtime") or None,
    )


def _contact(section: configparser.SectionProxy) -> KeysContact:
    return KeysContact(_address(section), _text(section, "label"))


def _address(section: configparser.SectionProxy) -> Address:
    try:
        return parse_address(PREFIX + section.name[len(PREFIX) :])
    except BadAddress as error:
        raise BadKeysFile(f"[{section.name[:60]}]: {error}") from error


def _private_key(section: configparser.SectionProxy, key: str) -> bytes:
    try:
        return decode_wif(section.get(key, ""))
    except ProtocolError as error:
        raise BadKeysFile(f"[{section.name}] {key}: {error}") from error


def _text(section: configparser.SectionProxy, key: str) -> str:
    return section.get(key, "").replace("%%", "%")


def _flag(section: configparser.SectionProxy, key: str, default: bool = False) -> bool:
    text = section.get(key, str(default)).strip().lower()
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise BadKeysFile(f"[{section.name}] {key}: {text[:20]!r} is neither true nor false")


def _number(section: configparser.SectionProxy, key: str) -> int:
    """0 where there is none; a time may have a fraction."""
    text = section.get(key, "0").strip().partition(".")[0]
    if not _INTEGER.fullmatch(text):
        raise BadKeysFile(f"[{section.name}] {key}: {text[:20]!r} is no number")
    return int(text)


def _in_new_units(trials: int, extra: int) -> tuple[int, int]:
    """As PyBitmessage moved its own files from protocol v2 to v3."""
    ratio = trials / OLD_TRIALS
    extra_ratio = extra / OLD_EXTRA
    return (
        int((1 if ratio <= 2 else ratio) * NETWORK_MINIMUM),
        int((1 if extra_ratio < 1 else extra_ratio) * NETWORK_MINIMUM),
    )


# -- writing one section ---------------------------------------------------------------------------------------------


def _lines(entry: KeysEntry) -> Iterator[tuple[str, str]]:
    assert len(entry.keys.signing) == len(entry.keys.encryption) == KEY_SIZE
    label = entry.label.replace("%", "%%")
    yield "label", " ".join(([CHAN_MARK] if entry.is_chan else []) + label.split())
    yield "enabled", str(entry.enabled).lower()
    yield "decoy", "false"
    if entry.is_chan:
        yield "chan", "true"
    if entry.list_name is not None:
        yield "mailinglist", "true"
        yield "mailinglistname", " ".join(entry.list_name.replace("%", "%%").split())
    if not entry.acknowledges:
        yield "dontsendack", "true"
    yield "noncetrialsperbyte", str(entry.nonce_trials_per_byte)
    yield "payloadlengthextrabytes", str(entry.payload_length_extra_bytes)
    yield "privsigningkey", encode_wif(entry.keys.signing)
    yield "privencryptionkey", encode_wif(entry.keys.encryption)
    if entry.last_pubkey_at is not None:
        yield "lastpubkeysendtime", str(entry.last_pubkey_at)
