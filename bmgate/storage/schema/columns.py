"""What the tables are made of: their metadata, and columns of the kinds that both databases have."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Identity, Integer, LargeBinary, MetaData, Text
from sqlalchemy.types import TypeEngine

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ID: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")  # where only INTEGER counts up by itself


def row_id() -> Column[int]:
    """The id of a row."""
    return Column("id", ID, Identity(), primary_key=True)


def ref(name: str, target: str, *, null: bool = False, on_delete: str | None = None) -> Column[int]:
    """The id of a row of `target`."""
    return Column(name, ID, ForeignKey(f"{target}.id", ondelete=on_delete), nullable=null)


def integer(name: str, default: int | None = None) -> Column[int]:
    """A number."""
    return Column(name, BigInteger, nullable=False, default=default)


def octets(name: str, *, null: bool = False) -> Column[bytes]:
    """Bytes."""
    return Column(name, LargeBinary, nullable=null)


def text(name: str, *, null: bool = False) -> Column[str]:
    """Text."""
    return Column(name, Text, nullable=null)


def flag(name: str) -> Column[bool]:
    """True or false."""
    return Column(name, Boolean, nullable=False)
