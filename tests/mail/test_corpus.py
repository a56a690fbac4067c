import json
from pathlib import Path
from typing import Any

import pytest

from bmgate import errors
from bmgate.mail.outgoing import convert

CORPUS = Path(__file__).parents[1] / "corpus"
CASES = sorted(path.stem for path in CORPUS.glob("*.json"))


def read_case(name: str) -> tuple[bytes, dict[str, Any]]:
    return (CORPUS / f"{name}.eml").read_bytes(), json.loads((CORPUS / f"{name}.json").read_text("utf-8"))


def test_every_mail_has_an_expectation_and_every_expectation_a_mail() -> None:
    assert len(CASES) >= 45
    assert sorted(path.stem for path in CORPUS.glob("*.eml")) == CASES


@pytest.mark.parametrize("name", CASES)
def test_a_mail_of_the_corpus_becomes_what_is_expected(name: str) -> None:
    raw, expected = read_case(name)
    if "refused" in expected:
        refusal: type[errors.GatewayError] = getattr(errors, expected["refused"])
        with pytest.raises(refusal) as caught:
            convert(raw)
        assert type(caught.value) is refusal
        assert [text for text in expected.get("names", []) if text not in str(caught.value)] == []
        return
    mail = convert(raw)
    assert (mail.subject, mail.body) == (expected["subject"], expected["body"])
    assert mail.data == f"Subject:{mail.subject}\nBody:{mail.body}".encode()
    assert list(mail.left_out) == expected.get("left_out", [])
    assert mail.ttl_seconds == expected.get("ttl_seconds")
    assert mail.priority == expected.get("priority", "normal")


@pytest.mark.parametrize("name", CASES)
def test_line_ends_make_no_difference(name: str) -> None:
    raw, expected = read_case(name)
    if "refused" not in expected:
        assert convert(raw).data == convert(raw.replace(b"\r\n", b"\n")).data


@pytest.mark.parametrize("name", CASES)
def test_no_canary_of_the_corpus_travels(name: str) -> None:
    raw, expected = read_case(name)
    if "refused" not in expected:
        assert b"canary" not in convert(raw).data.lower()
