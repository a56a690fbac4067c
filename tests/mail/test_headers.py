import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.errors import BadMail
from bmgate.mail.headers import AddrSpec, addresses_in, decode_header, media_type, message_ids_in, token_value
from bmgate.mail.text import clean_line


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"=?utf-8?Q?Gr=C3=BC=C3=9Fe_aus?=\r\n =?utf-8?Q?_K=C3=B6ln?=", "Grüße aus Köln"),
        (b"=?utf-8?B?8J+O?= =?UTF-8?B?iQ==?=", "🎉"),
        (b"=?utf-8?Q?=F0=9F?= =?utf-8*en?B?jok=?=", "🎉"),
        (b"=?iso-8859-1?Q?=FC?= =?utf-8?Q?=C3=BC?= x", "üü x"),
        (b"a=?utf-8?Q?b?=c", "abc"),
        (b"=?utf-8?Q?a?= b =?utf-8?Q?c?=", "a b c"),
        (b"=?utf-8?Q?with space_inside?=", "with space inside"),
        (b"=?x-unheard?Q?a?=", "=?x-unheard?Q?a?="),
        (b"=?utf-7?Q?+AGE-?=", "=?utf-7?Q?+AGE-?="),
        (b"=?utf-8?Q?=FF?= =?utf-8?Q?=FE?=", "=?utf-8?Q?=FF?= =?utf-8?Q?=FE?="),
        (b"=?utf-8?Q?ok?= =?utf-8?Q?=FF?=", "ok =?utf-8?Q?=FF?="),
        (b"=?utf-8?B?A?=", "=?utf-8?B?A?="),
        (b"=?utf-8?B?w7w?=", "ü"),
        (b"=?utf-8?Q?a=0D=0ABcc:_x?=", "a Bcc: x"),
        (b"folded\r\n\tonce\n  twice", "folded once twice"),
        ("raw ü".encode(), "raw ü"),
        (b"raw \xfc\x80", "raw ü€"),
        (b"", ""),
    ],
)
def test_headers_are_decoded(raw: bytes, text: str) -> None:
    assert decode_header(raw) == text


@pytest.mark.parametrize(
    ("raw", "addresses"),
    [
        (b"a@b", [("", "a", "b")]),
        (b'Alice <a@b>, "Bob, B." <b@c>', [("Alice", "a", "b"), ("Bob, B.", "b", "c")]),
        (b"=?utf-8?Q?M=C3=BCller=2C_A?= <a@b>", [("Müller, A", "a", "b")]),
        (b'"a b\\"c"@d', [("", 'a b"c', "d")]),
        (b"a@b (comment (nested) <x@y>)", [("", "a", "b")]),
        (b"undisclosed-recipients:;", []),
        (b"Friends: a@b, C <c@d>;, e@f", [("", "a", "b"), ("C", "c", "d"), ("", "e", "f")]),
        (b"<@x,@y:a@b>", [("", "a", "b")]),
        (b"a@evil@b", [("", "a@evil", "b")]),
        (b"<a@b", [("", "a", "b")]),
        (b"name", [("", "name", "")]),
        (b" , <>, ;", []),
        ("a\u200b@b".encode(), [("", "a\u200b", "b")]),
    ],
)
def test_addresses_are_read(raw: bytes, addresses: list[tuple[str, str, str]]) -> None:
    assert addresses_in(raw) == tuple(AddrSpec(*address) for address in addresses)


def test_a_thousand_addresses_are_enough() -> None:
    assert len(addresses_in(b"a@b," * 1000)) == 1000
    with pytest.raises(BadMail):
        addresses_in(b"a@b," * 1001)


@pytest.mark.parametrize(
    ("raw", "ids"),
    [
        (b"<a@b> <c@d>\r\n <e@f>", ("<a@b>", "<c@d>", "<e@f>")),
        (b"bare@id", ("<bare@id>",)),
        (b"On Monday you wrote", ()),
        (b"<a@b", ()),
        (b"", ()),
    ],
)
def test_message_ids_are_found(raw: bytes, ids: tuple[str, ...]) -> None:
    assert message_ids_in(raw) == ids


@pytest.mark.parametrize(
    ("raw", "value", "parameters"),
    [
        (b'Text/Plain; Charset="utf-8"; format=flowed', "text/plain", {"charset": "utf-8", "format": "flowed"}),
        (b"text/plain charset=utf-8", "text/plain", {"charset": "utf-8"}),
        (b'multipart/mixed;\r\n\tboundary="a;b\\"c "', "multipart/mixed", {"boundary": 'a;b"c '}),
        (b"text", "text/plain", {}),
        (b"", "text/plain", {}),
        (b"a/b; name*=iso-8859-1'de'%FC.txt", "a/b", {"name": "ü.txt"}),
        (b"a/b; name*1*=%BC.txt; name*0*=utf-8''%C3", "a/b", {"name": "ü.txt"}),
        (b'a/b; name*0="a "; name*1=b', "a/b", {"name": "a b"}),
        (b'a/b; name="=?utf-8?Q?=C3=BC?=.txt"', "a/b", {"name": "ü.txt"}),
        (b"a/b; name=x; name*=utf-8''y", "a/b", {"name": "y"}),
    ],
)
def test_content_types_are_read(raw: bytes, value: str, parameters: dict[str, str]) -> None:
    found = media_type(raw)
    assert (found.value, found.parameters) == (value, parameters)


def test_a_disposition_is_a_token_with_parameters() -> None:
    found = token_value(b"ATTACHMENT (really); filename=a.txt")
    assert (found.value, found.parameters) == ("attachment", {"filename": "a.txt"})


def test_fifty_parameters_are_enough() -> None:
    with pytest.raises(BadMail):
        media_type(b"a/b" + b"; x=y" * 51)


@given(st.binary(max_size=300) | st.text("=?utf-8QqBb_<>()\",;:@\\ \r\n*'%", max_size=300).map(str.encode))
def test_nothing_but_bad_mail_comes_out_of_a_header(raw: bytes) -> None:
    text = decode_header(raw)
    assert clean_line(text) == text
    try:
        addresses_in(raw)
        message_ids_in(raw)
        media_type(raw)
        token_value(raw)
    except BadMail:
        pass
