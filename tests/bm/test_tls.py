"""Anonymous TLS in memory: the recipe works between two of ours, and nothing a peer sends gets out but BadTls."""

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peers import CLIENT, SERVER

from bmgate.bm.tls import BadTls, TlsLayer, peer_context, tls_works


def shaken() -> tuple[TlsLayer, TlsLayer]:
    client, server = TlsLayer(CLIENT, server_side=False), TlsLayer(SERVER, server_side=True)
    wire = client.receive(b"").wire
    while wire:
        wire = client.receive(server.receive(wire).wire).wire
    return client, server


def test_the_self_test_passes_here() -> None:
    assert tls_works()


def test_the_self_test_says_no_where_the_curve_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bmgate.bm.tls.CURVE", "curve-of-tomorrow")
    assert not tls_works()


def test_the_self_test_says_no_where_the_cipher_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bmgate.bm.tls.CIPHERS", "AECDH-AES256-SHA-OF-TOMORROW")
    assert not tls_works()


def test_contexts_follow_the_recipe() -> None:
    for server_side in (True, False):
        context = peer_context(server_side)
        assert [cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] != "TLSv1.3"] == [
            "AECDH-AES256-SHA"
        ]
        assert context.maximum_version is ssl.TLSVersion.TLSv1_2
        assert context.verify_mode is ssl.CERT_NONE


def test_bytes_pass_both_ways_whole() -> None:
    client, server = shaken()
    long = bytes(range(256)) * 1000
    assert server.receive(client.seal(long)).plain == long
    assert client.receive(server.seal(b"pong")).plain == b"pong"


def test_a_record_may_come_in_single_bytes() -> None:
    client, server = shaken()
    record = client.seal(b"ping")
    assert b"".join(server.receive(record[at : at + 1]).plain for at in range(len(record))) == b"ping"


def test_a_changed_record_is_bad() -> None:
    client, server = shaken()
    record = bytearray(client.seal(b"ping"))
    record[-1] ^= 1
    with pytest.raises(BadTls):
        server.receive(bytes(record))


@given(st.binary(min_size=1, max_size=200))
def test_garbage_instead_of_a_handshake_is_bad_or_unfinished(garbage: bytes) -> None:
    server = TlsLayer(SERVER, server_side=True)
    try:
        assert server.receive(garbage).plain == b""
    except BadTls:
        return
    assert not server.established
