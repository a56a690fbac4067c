"""`python -m bmgate` and the `bmgate` command."""

from bmgate.cli.main import cli


def main() -> None:
    """Run the command line and leave with its exit code."""
    cli(prog_name="bmgate")


if __name__ == "__main__":
    main()
