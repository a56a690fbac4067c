"""The worked examples of the protocol specification (section 19): two identities, and the objects made from them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bmgate.bm.keys import PrivateKeys, deterministic_keys
from bmgate.bm.plaintext import Pubkey

VECTORS = Path(__file__).parent / "vectors"

EXPIRES = 1_900_000_000
NOW = EXPIRES - 300  # the nonces below suffice from here on

IV = bytes.fromhex("48f6c17fa4755f85cc8c20acca7dd4c5")
EPHEMERAL = bytes.fromhex("5e0719df99f480a83b5e4f46b65d0a48dbc245366c382e58bd79e7a0d2002a8d")


def fixed_entropy(size: int) -> bytes:
    """The IV and the ephemeral key of all worked examples."""
    return {16: IV, 32: EPHEMERAL}[size]


def keys_of(passphrase: str) -> PrivateKeys:
    return next(deterministic_keys(passphrase.encode()))


def pubkey_of(keys: PrivateKeys, version: int = 4, behavior: int = 1) -> Pubkey:
    demand = 1000 if version >= 3 else 0
    return Pubkey(version, 1, behavior, keys.public, demand, demand)


ALICE_KEYS = PrivateKeys(
    bytes.fromhex("1eb520451908126c271a9d1362c2c7d9ef5f5b121f4464de9357ae540988b6e5"),
    bytes.fromhex("7dfd8cc93ee7500861831dba57a3edca8eb168c79a5a4f1ee405bfe341e78f36"),
)
BOB_KEYS = PrivateKeys(
    bytes.fromhex("077591b310fcae409f712b85683cc85bde0ad61e44fc2b7646e4ea33b43bbfde"),
    bytes.fromhex("7f57629a1eb2493cbf069950d02de1fdde454796a06395a2fe38f56de91bfe82"),
)
ALICE, BOB = pubkey_of(ALICE_KEYS), pubkey_of(BOB_KEYS)

GETPUBKEY = bytes.fromhex(
    "0000000000051f9c00000000713fb300000000000401abce4e7786611f4c2f2535d691eadbaa23d0c57b9b67c8a8535854fba4aa1662"
)
PUBKEY = bytes.fromhex(
    "000000000016be5400000000713fb3000000000104010f80dfec10fddc428600e869d4d78ba6298b801609e95c7cb9f7aee964cb43ae48f6c17fa475"
    "5f85cc8c20acca7dd4c502ca00203cd45b6a2fe6927f0f9067085df50889e2b928e35182fdb2bb341b53595bf4a8002068c7479082caf4ceb65d455b"
    "999cc3dc8ffd1177d7fe789ed81b8d0902b5e45ffbe99477acfd0e67b2b80060ffac8a9df23ea22737a1a627c8124ddca8b10d71fbc52fb888c46285"
    "656a8d8f778d18bbfb118f05df992e176c659a002a84535a33f551acb98a6a06b12e435a7c60416cca764bcb17aa14d29ab34d3b0f15a92a612956a0"
    "6a1c91e7ea39991910ed4b30b3421d819a34ef33b0f898aedf0d7011558a37237d40efbdd94f1d2a0248c5d3bf6217ac954e5318f2adc7ad0fb234eb"
    "52ca87601b9217ecd96b0f5a8430ecf8ad57715473584b1dd37e66c56cc5eca046d9093c11924e45605b4d122612bdc7c406d2446bfaa6ca9a4c7f97"
    "b8f0a9f02bc222e70341881a8543064140f80955453be43d28f9c4fd486b2878df5175b2"
)
ACK_DATA = bytes.fromhex("000000020101641e8fb542e3da5e674fe991a34e544ed569ae9590ce9b8c8ead598a98097d7a")
ACK_EXPIRES = 1_900_086_100
ACK_PACKET = bytes.fromhex(
    "e9beb4d96f626a656374000000000000000000364b2dd861000000000016cc320000000071410354000000020101641e8fb542e3da5e674fe991a34e"
    "544ed569ae9590ce9b8c8ead598a98097d7a"
)
MESSAGE = b"Subject:Hello\nBody:First test."
MSG = bytes.fromhex(
    "000000000040550600000000713fb30000000002010148f6c17fa4755f85cc8c20acca7dd4c502ca00203cd45b6a2fe6927f0f9067085df50889e2b9"
    "28e35182fdb2bb341b53595bf4a8002068c7479082caf4ceb65d455b999cc3dc8ffd1177d7fe789ed81b8d0902b5e45fe1952abcd85ae6403e1bc661"
    "4dcab4582f27fe7aa5ed7965068efee8422da17863791c78e446c9494f2d76e95421f52c36eb16ec7338e2da71a51bafdcfe7b25301b8dfcefa6bebb"
    "b0032b792464ab56f3b2549817c717f6cabd81b4055f2069dfd86e2413d173e3437778e99ce3f7fee227ad3849ebd473bddaa34277811bc3cfb155be"
    "7042fbfab828761188b5617b64294536f7d58d401efd9ce8747c68041c01bef83149b6ca79ef2ec1850e8c5cd4647a7f499f0a716f498bf49965e1c9"
    "2b49126978fa12689140f3d20732727f764918282b6ecf08991471915ee98309b9a75045d921fff8b627202edcdcbc1110b43aa4eca2acef0a556561"
    "0e42d6548ef27f1c821e09e219004e2bd902f800782bee1d340f72f477d04390d399885301f7f9492f17f6c5881372ad36bd8e45eec9ae31bc95f5ac"
    "d881a1d0c81f60feeefa2426dbd3f79b48c4b0b6f0f517d325110dc4fe322d9c6735340c149c292ab96731981761f5aa9fd48fe97f8c0daba4aaab0b"
    "a8eb8b355a1eecdc7d683eeb"
)
BROADCAST = bytes.fromhex(
    "00000000000864fe00000000713fb3000000000305010f80dfec10fddc428600e869d4d78ba6298b801609e95c7cb9f7aee964cb43ae48f6c17fa475"
    "5f85cc8c20acca7dd4c502ca00203cd45b6a2fe6927f0f9067085df50889e2b928e35182fdb2bb341b53595bf4a8002068c7479082caf4ceb65d455b"
    "999cc3dc8ffd1177d7fe789ed81b8d0902b5e45f32127f4fea2364ddb2d9fd7a73562e32c11d6734d6059753763383c9d4946df08a1aee217d6f32d5"
    "c39913ac7bfcfdf1c922d67e02d5a1ba0dd12aadd49572219ba6aa67b74b83e0ddb2de5a35eff0d5be561f6fffcccd32c35c9154ac471b977d051a5c"
    "f02595400c8885e856bf6b4f1acbb5da1d397b0d968910b9e65aa96216c167539d6685cd6a302ab1ae4993df0b86f7440e44c811d6cfa1dc0d649e8a"
    "489f121f6a0e8eca024fc90ca3caf88842a6a1328d1e0995dae66083fb80fe9f4ea3f75eca21467ed835ddfe8321bb49bf359ecf4c80c02f367c8401"
    "26bef8d582090a0f95c5b60ca4e89329e91b389f974bfc0794cbc9ad6c2b13fb53bc05ba0442723f77bedbb9c8f59c7283c87e48d85e2783c586d90b"
    "b098d0eb6ec476ae"
)


def captured(object_type: int) -> Iterator[dict[str, Any]]:
    """The captured objects of one type, see `about` in the file: valid at their `captured_at`."""
    cases: list[dict[str, Any]] = json.loads((VECTORS / "objects.json").read_text())["objects"]
    return (case for case in cases if case["type"] == object_type)
