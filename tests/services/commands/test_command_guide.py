"""The guide to mail commands tells of every command, as the grammar has them."""

from pathlib import Path

from bmgate.mail.command_line import Usage, usages

GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "commands.md"


def row(usage: Usage) -> str:
    also = f" (also `{'`, `'.join(usage.aliases)}`)" if usage.aliases else ""
    return f"| `{usage.line.replace('|', chr(92) + '|')}`{also} | {usage.help} |"


def test_the_table_of_the_guide_is_that_of_the_grammar() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    table = text.partition("## All commands")[2]
    assert [line for line in table.splitlines() if line.startswith("| `")] == [row(usage) for usage in usages()]
