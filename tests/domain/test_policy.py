import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.config import Config
from bmgate.domain.policy import OPTIONS, Attachments, Policy, Reads, Scope, duration_text, option, options_of
from bmgate.errors import BadOption


def test_each_option_is_a_field_and_each_field_an_option() -> None:
    assert set(OPTIONS) == set(Policy.__dataclass_fields__)


@pytest.mark.parametrize("name", list(OPTIONS))
def test_the_words_of_a_value_read_back_as_the_value(name: str) -> None:
    assert OPTIONS[name].read(Policy().words(name)) == getattr(Policy(), name)
    assert OPTIONS[name].help.endswith(".")


def test_the_gateways_defaults_are_those_of_a_policy() -> None:
    assert Config().accounts.policy == Policy()


@pytest.mark.parametrize(
    ("name", "words", "value"),
    [
        ("ttl", "2d", 172_800),
        ("ttl", " 36H ", 129_600),
        ("send_delay", "0s", 0),
        ("notify", "Success, failure", ("SUCCESS", "FAILURE")),
        ("notify", "never", ("NEVER",)),
        ("attachments", "OMIT", Attachments.OMIT),
        ("reads", "files", Reads.FILES),
        ("recognise", "off", False),
        ("deliver_to", "Work/Bob\r\n", "Work/Bob"),
        ("autoreply_text", "I am away.\nUntil May.", "I am away.\nUntil May."),
    ],
)
def test_words_become_values(name: str, words: str, value: object) -> None:
    assert getattr(Policy().narrowed({name: words}), name) == value


@pytest.mark.parametrize(
    ("name", "words", "hoped"),
    [
        ("ttl", "soon", "1h to 28d"),
        ("ttl", "400d", "1h to 28d, .*not '400d'"),
        ("ttl", "59m", "1h to 28d"),
        ("give_up", "29d", "1h to 28d"),
        ("give_up", "5m", "1h to 28d"),
        ("send_delay", "8d", "0s to 7d"),
        ("notify", "never, failure", "never, or some of"),
        ("notify", "", "never, or some of"),
        ("attachments", "yes", "refuse, extended, inline or omit, not 'yes'"),
        ("recognise", "maybe", "on or off"),
        ("autoreply_text", "x" * 5_000, "at most 4000 characters, not 5000"),
    ],
)
def test_other_words_are_refused_with_those_hoped_for(name: str, words: str, hoped: str) -> None:
    with pytest.raises(BadOption, match=hoped):
        OPTIONS[name].read(words)


def test_an_option_is_set_in_its_scopes_only() -> None:
    for name, scope, told in (
        ("reads", Scope.ACCOUNT, "reads is set for a contact, not for an account"),
        ("footer", Scope.CONTACT, "footer is set for an account or an address, not for a contact"),
        ("quotes", Scope.MEMBERSHIP, "quotes is set for an account, an address or a contact, not for a chan"),
        ("Difficulty", Scope.ACCOUNT, "difficulty is set for an address, not for an account"),
    ):
        with pytest.raises(BadOption, match=f"^{told}$"):
            option(name, scope)
    assert option("Identity-Guard", Scope.ACCOUNT).checked(" OFF ") == "off"
    assert {each.name for each in options_of(Scope.CONTACT)} >= {"reads", "ttl", "attachments", "quotes", "recognise"}


@pytest.mark.parametrize(
    ("scope", "told"),
    [
        (Scope.ACCOUNT, "an account there are ttl, .*attachments.*, quotes_in, footer"),
        (Scope.IDENTITY, "an address there are ttl, .*autoreply_text, difficulty"),
        (Scope.MEMBERSHIP, "a chan there are post_as, keep, mute, junk"),
        (Scope.CONTACT, "a contact there are ttl, attachments, reads, relay, recognise, quotes, quotes_in"),
    ],
)
def test_an_unknown_option_is_refused_with_those_that_can_be_set_there(scope: Scope, told: str) -> None:
    with pytest.raises(BadOption, match=rf"^there is no option colour; for {told}$"):
        option("colour", scope)


def test_what_nobody_reads_any_more_is_passed_over() -> None:
    assert Policy().narrowed({"colour": "red", "ttl": "soon", "quotes": "dashes"}) == Policy(quotes="dashes")


@given(st.integers(0, 10**8))
def test_durations_are_written_as_they_are_read(seconds: int) -> None:
    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
    words = duration_text(seconds)
    assert int(words[:-1]) * units[words[-1]] == seconds


@given(st.sampled_from(list(OPTIONS)), st.text(max_size=50))
def test_any_words_are_taken_or_refused(name: str, words: str) -> None:
    try:
        value = OPTIONS[name].read(words)
    except BadOption:
        return
    assert OPTIONS[name].read(OPTIONS[name].write(value)) == value
