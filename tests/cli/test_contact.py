"""`bmgate contact`: the address book on the command line, without a gateway."""

import json
from pathlib import Path

import pytest
from gateway_folders import Run

BOB = "BM-2cUQDtsUrv3WTKcFedRDit6n75w1WtsKuQ"
CAROL = "BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8Z"


@pytest.fixture
def alice(run: Run) -> Run:
    result = run("account", "add", "alice", "--password-stdin", stdin="correct horse\n")
    assert result.exit_code == 0, result.output
    return run


def listed(run: Run) -> list[tuple[str, str, str]]:
    result = json.loads(run("contact", "list", "--json").stdout)
    return [(each["label"], each["address"], each["standing"]) for each in result]


def test_a_contact_from_beginning_to_end(alice: Run) -> None:
    assert f"address: {BOB}" in alice("contact", "add", BOB, "Bob").stdout
    again = alice("contact", "add", BOB, "Robert")
    assert (again.exit_code, "already, as 'Bob'" in again.stderr) == (1, True)
    assert alice("contact", "add", BOB, "Robert", "--if-missing").exit_code == 0
    assert alice("contact", "set", "bob", "ttl", "2d").stdout == "Bob: ttl = 2d\n"
    assert alice("contact", "set", "bob", "label", "Robert").stdout == "Robert: label = Robert\n"
    assert "standing: blocked" in alice("contact", "block", "robert").stdout
    assert listed(alice) == [("Robert", BOB, "blocked")]
    assert "standing: allowed" in alice("contact", "allow", BOB).stdout
    shown = alice("contact", "show", "robert").stdout
    assert "ttl" in shown
    assert "set here" in shown
    assert alice("contact", "remove", "robert").stdout == "Robert: removed.\n"
    assert alice("contact", "show", BOB).exit_code == 1


def test_many_at_once_are_all_or_nothing(alice: Run, tmp_path: Path) -> None:
    source = tmp_path / "contacts.csv"
    source.write_text(f"address,label,standing\n{BOB},Bob,\n{CAROL}x,Carol,blocked\n")
    refused = alice("contact", "add", "--from", str(source))
    assert refused.exit_code == 1
    assert "line 3:" in refused.stderr
    assert listed(alice) == []
    source.write_text(f"address,label,standing\n{BOB},Bob,\n{CAROL},Carol,blocked\n")
    assert alice("contact", "add", "--from", str(source)).stdout == f"Bob: {BOB}\nCarol: {CAROL}\n"
    assert alice("contact", "add", "--from", str(source)).exit_code == 1
    assert alice("contact", "add", "--from", str(source), "--if-missing").stdout.count("(was there)") == 2
    assert listed(alice) == [("Bob", BOB, ""), ("Carol", CAROL, "blocked")]


def test_an_address_book_goes_out_and_comes_back(alice: Run, tmp_path: Path) -> None:
    alice("contact", "add", BOB, "Bob, the builder")
    alice("contact", "block", CAROL)
    exported = alice("contact", "export").stdout
    book = tmp_path / "book.vcf"
    book.write_bytes(exported.encode())
    before = listed(alice)
    for address in (BOB, CAROL):
        alice("contact", "remove", address)
    assert alice("contact", "import", str(book)).exit_code == 0
    assert listed(alice)[0] == before[0]
    assert (listed(alice)[1][1:]) == (CAROL, "blocked")
    assert alice("contact", "import", str(book)).stdout.count("(was there)") == 2
    book.write_bytes(b"BEGIN:VCARD\n")
    refused = alice("contact", "import", str(book))
    assert (refused.exit_code, "has no end" in refused.stderr) == (1, True)


def test_what_is_missing_is_said(alice: Run) -> None:
    assert alice("contact", "add", BOB).exit_code == 2
    assert alice("contact", "export").stdout == ""
    assert "no contact" in alice("contact", "block", "BM-x").stderr or alice("contact", "block", "BM-x").exit_code == 1


def test_all_of_a_long_list_is_told(alice: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bmgate.control.contact_methods.PAGE", 1)
    alice("contact", "add", BOB, "Bob")
    alice("contact", "add", CAROL, "Carol")
    assert [label for label, _, _ in listed(alice)] == ["Bob", "Carol"]
