"""I7: mail too large to be held is read while it is sent, and looks like any other."""

import asyncio
import re
import ssl
from base64 import b64encode, encodebytes
from collections.abc import Callable, Iterable
from itertools import chain, repeat
from quopri import encodestring

import pytest
from door_accounts import ALICE
from hypothesis import given, settings
from hypothesis import strategies as st
from imap.wire import House, Wire
from stored_mail import head_of, stored
from twisted.internet.ssl import CertificateOptions
from wires import mail

from bmgate.domain.mailbox import MailboxId
from bmgate.errors import AccountLocked
from bmgate.imap.decoders import MOST_BLANKS, Base64Decoder, Decoder, QuotedPrintableDecoder, decode_all
from bmgate.imap.limits import ImapLimits
from bmgate.imap.pieces import LargeMessage, PartLengths
from bmgate.mail.transfer import decode_base64, decode_quoted_printable
from bmgate.services.mailboxes.lazy_mail import LazyMail
from bmgate.tcp.channel import HangUp

SMALL = ImapLimits(fetch_octets=64, stall_seconds=0.2)  # what is larger counts as large
PARTS = (
    b"From: a@b.example\r\nSubject: outer\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
    b"--x\r\nContent-Type: text/html\r\n\r\n<p>first &amp; foremost</p>\r\n"
    b"--x\r\nContent-Type: message/rfc822\r\n\r\n"
    b"Subject: inner\r\nTo: c@d.example\r\nX-Cut: off\r\n\r\ninner text\r\n"
    b"--x\r\nContent-Type: application/x; name=a\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + b64encode(bytes(range(256)) * 2)
    + b"\r\n--x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    + encodestring("Grüße \0 und mehr".encode() * 9).replace(b"\n", b"\r\n")
    + b"\r\n--x\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    b"\0nul\0 and more\r\n--x--\r\n"
)
ITEMS = (
    b"BODY[]",
    b"BODY.PEEK[TEXT]",
    b"RFC822",
    b"RFC822.HEADER",
    b"RFC822.TEXT",
    b"RFC822.SIZE",
    b"(ENVELOPE BODYSTRUCTURE PREVIEW EMAILID THREADID)",
    b"BODY[HEADER.FIELDS (Subject From)]",
    *(b"BODY[%d]" % part for part in range(1, 8)),
    *(b"BODY[%d.MIME]" % part for part in range(1, 8)),
    b"BODY[2.HEADER]",
    b"BODY[2.TEXT]",
    b"BODY[2.1]",
    b"BODY[2.HEADER.FIELDS (Subject)]",
    b"BODY[2.HEADER.FIELDS.NOT (Subject)]",
    b"BODY[]<0.1>",
    b"BODY[]<60.100>",
    b"BODY[TEXT]<17.1000000>",
    b"BODY[3]<5.9>",
    b"BODY[]<1000000.5>",
    b"(BODY[1] BODY[2] BODY[]<3.200> FLAGS)",
)
BINARY = (b"", b"1", b"2", b"3", b"4", b"5", b"6")


async def answers(house: House, items: Iterable[bytes]) -> list[list[bytes]]:
    house.services.mailboxes.fill("INBOX", mail("before"), PARTS, mail("after"))
    wire = await house.selected()
    return [await wire.ok(b"UID FETCH 1:3 " + item) for item in items]


async def binary_answers(house: House, items: Iterable[bytes]) -> list[bytes]:
    """Every octet of the answers, where a literal8 looks like any other."""
    house.services.mailboxes.fill("INBOX", PARTS)
    wire = await house.selected()
    found = []
    for item in items:
        await wire.send(b"x FETCH 1 %b\r\ny NOOP\r\n" % item)
        async with asyncio.timeout(5):
            found.append((await wire.reader.readuntil(b"\r\ny OK ")).replace(b"~{", b"{"))
        await wire.line()
    return found


@pytest.mark.parametrize("portion", [7, 100, 256 * 1024])
async def test_large_mail_is_told_like_any_other(make_house: Callable[..., House], portion: int) -> None:
    small, large = make_house(), make_house(SMALL)
    large.services.mailboxes.body_octets = portion
    for ours, theirs in zip(await answers(large, ITEMS), await answers(small, ITEMS), strict=True):
        assert ours == theirs
    assert max(large.services.mailboxes.octets_read) <= portion


@pytest.mark.parametrize("portion", [5, 256 * 1024])
async def test_parts_of_large_mail_are_decoded_while_they_are_sent(
    make_house: Callable[..., House], portion: int
) -> None:
    items = [b"BINARY.SIZE[%b]" % part for part in BINARY]
    for cut in (b"", b"<0.1>", b"<3.30>", b"<100.300>", b"<100000.1>"):
        items += [b"BINARY.PEEK[%b]%b" % (part, cut) for part in BINARY]
    items.append(b"(BINARY.PEEK[3] BINARY.PEEK[4]<2.2> BODY.PEEK[1])")
    small, large = make_house(), make_house(SMALL)
    large.services.mailboxes.body_octets = portion
    for item, ours, theirs in zip(
        items, await binary_answers(large, items), await binary_answers(small, items), strict=True
    ):
        assert ours == theirs, item


async def test_search_finds_in_large_mail_what_it_finds_in_any_other(make_house: Callable[..., House]) -> None:
    keys = [
        *(b"TEXT outer", b"BODY outer", b"BODY foremost", b"BODY inner", b"TEXT X-Cut", b'BODY "und mehr"'),
        *(b"NOT BODY text", b"OR BODY foremost FROM a@b.example", b"LARGER 500", b"BODY nul", b"BODY AAEC"),
        'BODY "grüße"'.encode(),
    ]
    found = []
    for limits in (SMALL, None):
        house = make_house(limits)
        house.services.mailboxes.fill("INBOX", mail("before"), PARTS, mail("after", "x" * 200))
        wire = await house.selected()
        found.append([await wire.ok(b"SEARCH " + key) for key in keys])
    assert found[0] == found[1]
    assert found[0][2] == [b"* SEARCH 2\r\n"]


async def test_search_does_not_read_what_is_attached(make_house: Callable[..., House]) -> None:
    house = make_house(SMALL)
    head = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nwords\r\n--x\r\n"
    attached = b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b"QUFB\r\n" * 200_000
    house.services.mailboxes.fill("INBOX", head + attached + b"--x--\r\n")
    wire = await house.selected()
    assert await wire.ok(b"SEARCH BODY nowhere") == [b"* SEARCH\r\n"]
    assert sum(house.services.mailboxes.octets_read) <= 256 * 1024
    house.services.mailboxes.drop("INBOX", 1)
    assert await wire.ok(b"SEARCH BODY words") == [b"* SEARCH\r\n"]


async def test_an_encoding_that_is_not_known_is_refused_before_anything_is_sent(
    make_house: Callable[..., House],
) -> None:
    house = make_house(SMALL)
    strange = b"Content-Type: application/x\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\n" + b"abc" * 100
    house.services.mailboxes.fill("INBOX", strange)
    wire = await house.selected()
    assert (await wire.refused(b"FETCH 1 BINARY[1]")).startswith(b"NO [UNKNOWN-CTE] ")
    assert len(await wire.ok(b"FETCH 1 BODY[1]")) == 1


@given(
    st.one_of(
        st.binary(max_size=300),
        st.text("Ab/+= \r\n-", max_size=300).map(str.encode),
        st.text("aF3= \t\r\n.", max_size=300).map(str.encode),
        st.binary(max_size=200).map(b64encode),
    ),
    st.integers(1, 40),
)
def test_decoding_in_portions_gives_what_decoding_the_whole_gives(data: bytes, size: int) -> None:
    def decoded(make: Callable[[], Decoder]) -> bytes:
        return b"".join(decode_all(make, (data[at : at + size] for at in range(0, len(data), size))))

    assert decoded(Base64Decoder) == decode_base64(data)
    assert decoded(QuotedPrintableDecoder) == decode_quoted_printable(data)


@given(
    st.lists(
        st.sampled_from(
            [
                *(b"=", b"==", b"=4", b"=41", b"=\r", b"=\n", b"\r", b"\n", b"\r\n", b" ", b"\t ", b"A", b"x"),
                *(b" " * 20_000, b"\t" * 30_000, b"y" * 300_000, b"=" * 70_001),
            ]
        ),
        max_size=12,
    ).filter(lambda pieces: sum(map(len, pieces)) < 700_000),
    st.lists(st.sampled_from([1, 2, 3, 50, 19_999, 65_536, 262_144]), min_size=1, max_size=8),
)
@settings(max_examples=150)
def test_quoted_printable_lines_of_any_length_are_decoded_alike_however_they_are_cut(
    pieces: list[bytes], sizes: list[int]
) -> None:
    data, at, portions = b"".join(pieces), 0, list[bytes]()
    for size in chain.from_iterable(repeat([*sizes, 100_000])):
        if at >= len(data):
            break
        portions.append(data[at : at + size])
        at += size
    decoded = b"".join(decode_all(QuotedPrintableDecoder, portions))
    assert decoded == b"".join(decode_all(QuotedPrintableDecoder, [data]))
    if max(map(len, re.findall(rb"[ \t]+", data)), default=0) <= MOST_BLANKS:
        assert decoded == decode_quoted_printable(data)


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r", b"", b"x"])
@pytest.mark.parametrize("count", [MOST_BLANKS, MOST_BLANKS + 1, MOST_BLANKS + 2, 3 * MOST_BLANKS])
def test_more_blanks_than_transport_adds_belong_to_the_text(count: int, end: bytes) -> None:
    kept = b"" if count <= MOST_BLANKS and end not in {b"\r", b"x"} else b" " * count
    data = b"x" + b" " * count + end
    for cut in (1, 2, count - 1, count, count + 1, count + 2):
        assert b"".join(decode_all(QuotedPrintableDecoder, [data[:cut], data[cut:]])) == b"x" + kept + end


@given(st.sampled_from([Base64Decoder, QuotedPrintableDecoder]), st.text("Ab= \r\n\t-", max_size=80), st.data())
def test_a_decoder_that_holds_nothing_may_be_exchanged(
    make: type[Base64Decoder | QuotedPrintableDecoder], text: str, data: st.DataObject
) -> None:
    octets = text.encode()
    cut = data.draw(st.integers(0, len(octets)))
    decoder = make()
    head = decoder.feed(octets[:cut])
    if decoder.holds_nothing:
        assert head + b"".join(decode_all(make, [octets[cut:]])) == b"".join(decode_all(make, [octets]))


@pytest.mark.parametrize("before", [100_000, 200_001, 260_000, 262_100])
async def test_blanks_across_portions_are_sent_as_they_were_counted(house: House, before: int) -> None:
    text = b" " * 300 * 1024 + b"x\r\n" + b"line  \r\n" * 60_000
    house.services.mailboxes.fill(
        "INBOX",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        + (b"preamble\r\n" * (before // 10))
        + b"--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        + text
        + b"\r\n--b--\r\n",
    )
    wire = await house.selected()
    whole = decode_quoted_printable(text)
    assert await wire.ok(b"FETCH 1 BINARY.SIZE[1]") == [b"* 1 FETCH (BINARY.SIZE[1] %d)\r\n" % len(whole)]
    (found,) = await wire.ok(b"FETCH 1 (BINARY.PEEK[1] FLAGS)")
    assert found.replace(b"~{", b"{") == (b"* 1 FETCH (BINARY[1] {%d}\r\n%b FLAGS ())\r\n" % (len(whole), whole))


def encoded_mail(decoded: bytes) -> bytes:
    return b"Content-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\n" + encodebytes(decoded)


async def test_i7_a_part_is_decoded_once_to_be_counted_and_sent_from_near_where_it_is_asked_for(house: House) -> None:
    decoded = bytes(range(256)) * 4 * 4096
    raw = encoded_mail(decoded)
    house.services.mailboxes.fill("INBOX", raw)
    wire = await house.selected()
    items = b" ".join(b"BINARY.PEEK[1]<%d.10>" % (4_000_000 + at) for at in range(10))
    (found,) = await wire.ok(b"FETCH 1 (%b)" % items)
    for at in range(4_000_000, 4_000_010):
        assert b"BINARY[1]<%d> ~{10}\r\n%b" % (at, decoded[at : at + 10]) in found
    assert sum(house.services.mailboxes.octets_read) < 3 * len(raw)


def test_i7_nothing_is_counted_on_for_a_client_that_is_gone() -> None:
    lengths, read = PartLengths(), list[int]()
    raw = stored(encoded_mail(bytes(1_000_000)))

    def body(start: int, end: int) -> bytes:
        read.append(start)
        lengths.give_up()
        return raw.body[start : min(end, start + 300_000)]

    head = head_of(raw)
    message = LargeMessage(head, LazyMail(head, body), lengths)
    with pytest.raises(HangUp):
        message.decoded(len(head.header), len(head.header) + len(raw.body), Base64Decoder, None)
    assert read == [0]


async def test_i7_a_client_that_leaves_while_a_part_is_counted_has_it_given_up(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.services.mailboxes.fill("INBOX", encoded_mail(bytes(1_000_000)))
    given_up, waiting = asyncio.Event(), asyncio.Event()
    monkeypatch.setattr(PartLengths, "give_up", lambda _: given_up.set())

    async def forever(*_: object) -> None:
        waiting.set()
        await asyncio.Event().wait()

    wire = await house.selected()
    await wire.send(b"a NOOP\r\n")
    await wire.until(b"a")
    original = house.services.mailboxes.look_into
    calls = 0

    async def look_into(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls > 1:  # the first looks whether the encoding is known
            await forever()
        return await original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(house.services.mailboxes, "look_into", look_into)
    await wire.send(b"f FETCH 1 BINARY.SIZE[1]\r\n")
    async with asyncio.timeout(5):
        await waiting.wait()
        wire.writer.transport.abort()
        await given_up.wait()


async def test_i7_large_headers_are_read_as_they_are_sent(house: House) -> None:
    field = b"X-Long: " + b"y" * 60 + b"\r\n"
    raws = [b"Subject: %d\r\n" % number + field * 9_000 + b"\r\nbody" for number in range(30)]
    house.services.mailboxes.fill("INBOX", *raws)
    wire = await house.selected()
    read = house.services.mailboxes.head_octets_read
    wire.stop_reading()
    await wire.send(b"f FETCH 1:* (BODY.PEEK[HEADER] BODY.PEEK[HEADER.FIELDS.NOT (Subject)])\r\n")
    for _ in range(2000):
        await asyncio.sleep(0)
    assert max(read) < 1.5 * len(raws[0])
    assert sum(read) < sum(map(len, raws)) / 2
    wire.read_on()
    found = await wire.until(b"f")
    assert len(found) == 31
    header = raws[29].removesuffix(b"body")
    rest = header.removeprefix(b"Subject: 29\r\n")
    assert found[29] == (
        b"* 30 FETCH (BODY[HEADER] {%d}\r\n%b BODY[HEADER.FIELDS.NOT (Subject)] {%d}\r\n%b)\r\n"
        % (len(header), header, len(rest), rest)
    )
    read.clear()
    assert await wire.ok(b"SEARCH HEADER Subject 2 NOT HEADER X-Long z") == [
        b"* SEARCH 3 13" + b"".join(b" %d" % number for number in range(21, 31)) + b"\r\n"
    ]
    assert max(read) < 3 * len(raws[0])


async def test_i7_a_large_message_in_which_every_item_has_the_header_comes_whole(house: House) -> None:
    raw = b"Subject: a\r\n" + b"X-Long: y\r\n" * 60_000 + b"\r\n" + b"z" * 600_000
    house.services.mailboxes.fill("INBOX", raw)
    wire = await house.selected()
    (found,) = await wire.ok(b"FETCH 1 (BODY.PEEK[HEADER.FIELDS (Subject)] BODY.PEEK[] RFC822.SIZE)")
    fields = b"Subject: a\r\n\r\n"
    assert found == (
        b"* 1 FETCH (BODY[HEADER.FIELDS (Subject)] {%d}\r\n%b BODY[] {%d}\r\n%b RFC822.SIZE %d)\r\n"
        % (len(fields), fields, len(raw), raw, len(raw))
    )


@pytest.mark.parametrize("filler", [b"x", b" ", b"="])
def test_a_line_without_an_end_is_not_kept(filler: bytes) -> None:
    decoder = QuotedPrintableDecoder()
    decoded = b"".join(decoder.feed(filler * 100_000 + b"=41") for _ in range(50)) + decoder.end()
    assert decoded.count(b"A") == 50


async def large_mail(house: House, size: int = 2_000_000) -> tuple[Wire, bytes]:
    raw = mail(body="line of text\r\n" * (size // 14))
    house.services.mailboxes.fill("INBOX", raw)
    return await house.selected(), raw


async def test_i7_a_slow_reader_of_a_large_mail_has_little_read_for_it(house: House) -> None:
    wire, raw = await large_mail(house, 20_000_000)
    wire.stop_reading()
    await wire.send(b"f FETCH 1 BODY.PEEK[]\r\n")
    mailboxes = house.services.mailboxes
    for _ in range(2000):  # turns in which a server that does not wait would have read all
        await asyncio.sleep(0)
    assert 0 < sum(mailboxes.octets_read) < len(raw) / 2
    assert max(mailboxes.octets_read) <= 256 * 1024
    wire.read_on()
    found = await wire.until(b"f")
    assert found[0] == b"* 1 FETCH (BODY[] {%d}\r\n%b)\r\n" % (len(raw), raw)


async def test_i7_a_client_that_stops_within_a_literal_is_dropped(make_house: Callable[..., House]) -> None:
    house = make_house(ImapLimits(stall_seconds=0.1))
    wire, _ = await large_mail(house, 20_000_000)
    (connection,) = house.factory.connections.members
    wire.stop_reading()
    await wire.send(b"f FETCH 1 BODY.PEEK[]\r\n")
    async with asyncio.timeout(5):
        await connection.closed.wait()


async def test_a_client_that_goes_away_within_a_literal_leaves_nothing_behind(house: House) -> None:
    wire, _ = await large_mail(house, 20_000_000)
    (connection,) = house.factory.connections.members
    wire.stop_reading()
    await wire.send(b"f FETCH 1 BODY.PEEK[]\r\n")
    await portions(house, 2)
    wire.writer.transport.abort()
    async with asyncio.timeout(5):
        await connection.closed.wait()


async def portions(house: House, count: int) -> None:
    """Until so many have been read."""
    for _ in range(10_000):
        if len(house.services.mailboxes.octets_read) >= count:
            return
        await asyncio.sleep(0)
    raise AssertionError("nothing is read")


async def begun(house: House) -> tuple[Wire, bytes]:
    """A client that has not taken the first octets of a literal."""
    wire, raw = await large_mail(house, 20_000_000)
    wire.stop_reading()
    await wire.send(b"f FETCH 1 BODY.PEEK[]\r\n")
    await portions(house, 2)
    return wire, raw


async def test_a_literal_that_cannot_be_completed_ends_the_connection_without_a_word(house: House) -> None:
    wire, raw = await begun(house)
    house.services.mailboxes.drop("INBOX", 1)
    wire.read_on()
    got = await wire.until_cut_off()
    assert (b"* 1 FETCH (BODY[] {%d}\r\n%b" % (len(raw), raw)).startswith(got)


async def test_an_account_locked_within_a_literal_ends_the_connection(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire, raw = await begun(house)

    async def locked(*_: object) -> bytes:
        raise AccountLocked("this account opens when its owner logs in")

    monkeypatch.setattr(house.services.mailboxes, "body", locked)
    wire.read_on()
    assert len(await wire.until_cut_off()) < len(raw)


async def test_a_message_moved_within_a_literal_is_sent_to_its_end(house: House) -> None:
    wire, raw = await begun(house)
    inbox = house.services.mailboxes.of(ALICE)["INBOX"].mailbox.id
    await house.services.mailboxes.move(ALICE, MailboxId(inbox), [1], "Trash")
    wire.read_on()
    found = await wire.until(b"f")
    assert found[0] == b"* 1 FETCH (BODY[] {%d}\r\n%b)\r\n" % (len(raw), raw)


async def test_a_large_message_gone_before_it_is_looked_into_is_told_missing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire, _ = await large_mail(house)
    mailboxes = house.services.mailboxes
    look_into = mailboxes.look_into

    async def too_late(*arguments: object) -> object:
        mailboxes.drop("INBOX", 1)
        return await look_into(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(mailboxes, "look_into", too_late)
    assert (await wire.ask(b"FETCH 1 (PREVIEW BODY.PEEK[])"))[-1].startswith(b"OK [EXPUNGEISSUED] ")


async def test_i7_a_message_asked_for_many_times_is_not_held_many_times(house: House) -> None:
    wire, raw = await large_mail(house, 400_000)
    items = b" ".join(b"BODY.PEEK[]<%d.400000>" % at for at in range(50))
    wire.stop_reading()
    await wire.send(b"f FETCH 1 (%b)\r\n" % items)
    for _ in range(2000):
        await asyncio.sleep(0)
    assert sum(house.services.mailboxes.octets_read) < 10_000_000
    wire.read_on()
    (found, _) = await wire.until(b"f")
    assert found.endswith(raw[49:400_049] + b")\r\n")


async def test_a_large_mail_comes_whole_over_tls(
    make_house: Callable[..., House], server_tls: CertificateOptions, client_tls: ssl.SSLContext
) -> None:
    house = make_house(tls=server_tls)
    raw = mail(body="line of text\r\n" * 200_000)
    house.services.mailboxes.fill("INBOX", raw)
    wire = await house.logged_in(tls=client_tls)
    await wire.ok(b"SELECT INBOX")
    assert await wire.ok(b"FETCH 1 RFC822") == [b"* 1 FETCH (RFC822 {%d}\r\n%b FLAGS (\\Seen))\r\n" % (len(raw), raw)]
    assert max(house.services.mailboxes.octets_read) <= 256 * 1024


async def test_a_literal_that_cannot_be_completed_ends_the_connection_over_tls_too(
    make_house: Callable[..., House], server_tls: CertificateOptions, client_tls: ssl.SSLContext
) -> None:
    house = make_house(tls=server_tls)
    raw = mail(body="line of text\r\n" * 1_000_000)
    house.services.mailboxes.fill("INBOX", raw)
    wire = await house.logged_in(tls=client_tls)
    await wire.ok(b"SELECT INBOX")
    wire.stop_reading()
    await wire.send(b"f FETCH 1 BODY.PEEK[]\r\n")
    await portions(house, 2)
    house.services.mailboxes.drop("INBOX", 1)
    wire.read_on()
    assert (b"* 1 FETCH (BODY[] {%d}\r\n%b" % (len(raw), raw)).startswith(await wire.until_cut_off())
