"""keys.dat: what PyBitmessage and notbit write, what we write, and what is refused whole."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.bm.keys import deterministic_keys, encode_wif
from bmgate.bm.keysdat import MAX_SIZE, BadKeysFile, KeysEntry, KeysFile, read_keys_file, write_keys_file

ALICE = next(deterministic_keys(b"alice"))
GENERAL = next(deterministic_keys(b"general"))
SECTION = f"""[bitmessagesettings]
settingsversion = 10
blackwhitelist = white
timeformat = %%c

[{ALICE.public.address()}]
label = 100 %% Alice
enabled = false
decoy = false
noncetrialsperbyte = 2000
payloadlengthextrabytes = 1000
dontsendack = true
mailinglist = true
mailinglistname = friends
privsigningkey = {encode_wif(ALICE.signing)}
privencryptionkey = {encode_wif(ALICE.encryption)}
lastpubkeysendtime = 1700000000.25

[{GENERAL.public.address()}]
label = [chan] general
enabled = True
chan = True
privsigningkey = {encode_wif(GENERAL.signing)}
privencryptionkey = {encode_wif(GENERAL.encryption)}
"""


def test_a_file_of_pybitmessage_is_read_whole() -> None:
    found = read_keys_file(SECTION.encode())
    alice, general = found.entries
    assert alice == KeysEntry(
        address=ALICE.public.address(),
        keys=ALICE,
        label="100 % Alice",
        enabled=False,
        list_name="friends",
        acknowledges=False,
        nonce_trials_per_byte=2000,
        last_pubkey_at=1_700_000_000,
    )
    assert general == KeysEntry(GENERAL.public.address(), GENERAL, "general", is_chan=True)
    assert not found.blacklist
    assert (found.ttl, found.give_up) == (0, 0)


def test_how_long_a_message_lives_is_read_where_it_can_be() -> None:
    settings = "[bitmessagesettings]\nttl = 367200\nstopresendingafterxdays = 1.5\nstopresendingafterxmonths = \n"
    found = read_keys_file(settings.encode())
    assert (found.ttl, found.give_up) == (367_200, 129_600)
    assert read_keys_file(b"[bitmessagesettings]\nttl = soon\n").ttl == 0


def test_an_address_without_private_keys_is_a_contact_of_notbit() -> None:
    address = ALICE.public.address()
    found = read_keys_file(f"[{address}]\nlabel = Alice\npubsigningkey = 04aa\n".encode())
    assert found.entries == ()
    assert [(contact.address, contact.label) for contact in found.contacts] == [(address, "Alice")]


@pytest.mark.parametrize(
    ("trials", "extra", "new_trials", "new_extra"),
    [(320, 14_000, 1000, 1000), (640, 100, 1000, 1000), (3_200, 28_000, 10_000, 2000)],
)
def test_demands_of_old_files_are_told_in_the_units_of_today(
    trials: int, extra: int, new_trials: int, new_extra: int
) -> None:
    text = SECTION.replace("settingsversion = 10", "settingsversion = 9")
    text = text.replace("noncetrialsperbyte = 2000", f"noncetrialsperbyte = {trials}")
    alice = read_keys_file(text.replace("extrabytes = 1000", f"extrabytes = {extra}").encode()).entries[0]
    assert (alice.nonce_trials_per_byte, alice.payload_length_extra_bytes) == (new_trials, new_extra)


@pytest.mark.parametrize(
    ("found", "instead", "named"),
    [
        (encode_wif(ALICE.signing), encode_wif(GENERAL.signing), "another address"),
        (encode_wif(ALICE.signing), encode_wif(ALICE.signing)[:-1] + "1", "privsigningkey: the checksum"),
        (encode_wif(ALICE.encryption), "", "privencryptionkey"),
        (str(ALICE.public.address()), "BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8Y", "checksum"),
        ("enabled = false", "enabled = perhaps", "enabled: 'perhaps'"),
        ("noncetrialsperbyte = 2000", "noncetrialsperbyte = -5", "noncetrialsperbyte"),
        ("noncetrialsperbyte = 2000", "noncetrialsperbyte = " + "9" * 30, "noncetrialsperbyte"),
        ("settingsversion = 10", "settingsversion = x", "settingsversion"),
        ("label = 100", "[another", "no INI file"),
        (str(GENERAL.public.address()), str(ALICE.public.address()), "no INI file: DuplicateSectionError"),
    ],
)
def test_e8_a_damaged_file_is_refused_whole_with_the_place(found: str, instead: str, named: str) -> None:
    with pytest.raises(BadKeysFile) as caught:
        read_keys_file(SECTION.replace(found, instead, 1).encode())
    assert named in str(caught.value)
    assert encode_wif(ALICE.signing)[5:20] not in str(caught.value)


@pytest.mark.parametrize(("mark", "end"), [("", "\r\n"), ("", "\r"), ("\ufeff", "\n"), ("\ufeff", "\r\n")])
def test_marks_and_line_ends_of_other_systems_change_nothing(mark: str, end: str) -> None:
    assert read_keys_file((mark + SECTION.replace("\n", end)).encode()) == read_keys_file(SECTION.encode())


def test_a_label_in_latin_1_is_read_and_nothing_else_is() -> None:
    address = f"[{ALICE.public.address()}]\nprivsigningkey = {encode_wif(ALICE.signing)}\n"
    text = f"{address}privencryptionkey = {encode_wif(ALICE.encryption)}\nlabel = B\u00fcro\n".encode("latin-1")
    for data in (text, codecs.BOM_UTF8 + text, text.replace(b"\n", b"\r\n")):
        assert read_keys_file(data).entries[0].label == "B\u00fcro"
    with pytest.raises(BadKeysFile, match="not UTF-8 in line 5"):
        read_keys_file(text + b"enabled = \xff\n")
    with pytest.raises(BadKeysFile, match="UTF-16"):
        read_keys_file(SECTION.encode("utf-16"))


def test_a_chan_of_two_versions_is_two_chans() -> None:
    keys = f"privsigningkey = {encode_wif(GENERAL.signing)}\nprivencryptionkey = {encode_wif(GENERAL.encryption)}\n"
    sections = (f"[{GENERAL.public.address(version=version)}]\nchan = true\n{keys}" for version in (3, 4))
    assert len(read_keys_file("\n".join(sections).encode()).entries) == 2


def test_addresses_of_any_length_and_version_are_read_without_settings() -> None:
    for name, version in ((b"short", 4), (b"short", 3), (b"old", 2)):
        keys = next(deterministic_keys(name, leading_zeros=1))
        text = (
            f"[{keys.public.address(version=version)}]\nprivsigningkey = {encode_wif(keys.signing)}\n"
            f"privencryptionkey = {encode_wif(keys.encryption)}\n"
        )
        assert read_keys_file(text.encode()).entries[0].address.version == version


@pytest.mark.parametrize("twice", ["label = again", "LABEL = again", "privsigningkey = x"])
def test_e8_an_option_that_is_there_twice_is_refused(twice: str) -> None:
    with pytest.raises(BadKeysFile, match="DuplicateOptionError"):
        read_keys_file(SECTION.replace("enabled = false", f"enabled = false\n{twice}", 1).encode())


@pytest.mark.parametrize("line", ["settingsversion = 10", "noncetrialsperbyte = 2000"])
def test_e8_a_number_of_thousands_of_digits_is_refused(line: str) -> None:
    with pytest.raises(BadKeysFile, match=r": '9{20}' is no number$"):
        read_keys_file(SECTION.replace(line, line.rstrip("0123456789") + "9" * 5_000, 1).encode())


def test_the_same_keys_under_two_versions_are_both_read() -> None:
    old = ALICE.public.address(version=3)
    keys = f"privsigningkey = {encode_wif(ALICE.signing)}\nprivencryptionkey = {encode_wif(ALICE.encryption)}\n"
    assert old in [each.address for each in read_keys_file(f"{SECTION}\n[{old}]\n{keys}".encode()).entries]


def test_an_address_in_small_letters_is_read_and_keys_without_one_are_refused() -> None:
    small = read_keys_file(SECTION.replace("[BM-", "[bm-").encode())
    assert small == read_keys_file(SECTION.encode())
    with pytest.raises(BadKeysFile, match="a section with private keys"):
        read_keys_file(SECTION.replace("[BM-", "[old-").encode())


def test_a_line_that_is_none_is_told_by_its_number() -> None:
    with pytest.raises(BadKeysFile, match="ParsingError in line 3"):
        read_keys_file(b"[bitmessagesettings]\nttl = 5\nnonsense\n")


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xfe\x00", b"BM-x = 1", bytes(MAX_SIZE + 1)], ids=["nothing", "bytes", "no section", "long"]
)
def test_e8_what_is_no_such_file_is_refused(data: bytes) -> None:
    with pytest.raises(BadKeysFile):
        read_keys_file(data)


labels = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), max_size=30)


@given(labels, st.booleans(), st.booleans(), labels | st.none(), st.booleans(), st.integers(1000, 1 << 40))
def test_what_is_written_reads_the_same(
    label: str, enabled: bool, is_chan: bool, list_name: str | None, acknowledges: bool, trials: int
) -> None:
    alice = KeysEntry(ALICE.public.address(), ALICE, label, enabled, is_chan, list_name, acknowledges, trials)
    assert read_keys_file(write_keys_file([alice])) == KeysFile((alice,))


@given(st.binary(max_size=400))
def test_arbitrary_bytes_give_a_file_or_a_refusal(data: bytes) -> None:
    try:
        read_keys_file(b"[bitmessagesettings]\n" + data)
    except BadKeysFile:
        return
