"""Statements that are carried out often: compiled once, and on SQLite handed to the driver without a detour.

Executing a statement through SQLAlchemy costs 15 to 20 us of Python, SQLite itself about 3, and a mail takes dozens.
A `Prepared` is an ordinary Core statement, of which Core works out the SQL, the order of the values and their
conversions the first time (decision 21). On PostgreSQL it goes the ordinary way.
"""

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import Connection, Delete, Dialect, Insert, Select, Update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler

Values = Mapping[str, Any]
Statement = Select[*tuple[Any, ...]] | Insert | Update | Delete

T = TypeVar("T")

_NOTHING: Values = {}


@dataclass(frozen=True, slots=True)
class _Plan:
    """A statement compiled for values of certain names: its SQL, its arguments in order, its rows as named tuples."""

    sql: str
    arguments: Callable[[Values], tuple[Any, ...]]
    row: Callable[[Sequence[Any]], Any]


class Prepared:
    """A Core statement without expanding lists, and without defaults that Python fills in.

    `values` have the names of columns and of `bindparam`s; few different sets of names, for each is compiled.
    """

    __slots__ = ("_plans", "_statement")

    def __init__(self, statement: Statement) -> None:
        self._statement = statement
        self._plans: dict[tuple[str, ...], _Plan] = {}

    def run(self, connection: Connection, values: Values) -> int:
        """How many rows it changed."""
        if not _is_sqlite(connection):
            return connection.execute(self._statement, values).rowcount
        plan = self._plan(connection, values)
        return _on_sqlite(
            connection, plan.sql, lambda driver: driver.execute(plan.sql, plan.arguments(values)).rowcount
        )

    def run_all(self, connection: Connection, rows: Sequence[Values]) -> None:
        """Once for each of these rows, of which there is at least one and whose names are alike."""
        if not _is_sqlite(connection):
            connection.execute(self._statement, rows)
            return
        plan = self._plan(connection, rows[0])
        _on_sqlite(connection, plan.sql, lambda driver: driver.executemany(plan.sql, map(plan.arguments, rows)))

    def all(self, connection: Connection, values: Values = _NOTHING) -> Sequence[Any]:
        """The rows, as tuples whose fields have the names of the columns."""
        if not _is_sqlite(connection):
            return connection.execute(self._statement, values).all()
        plan = self._plan(connection, values)
        rows = _on_sqlite(
            connection, plan.sql, lambda driver: driver.execute(plan.sql, plan.arguments(values)).fetchall()
        )
        return list(map(plan.row, rows))

    def first(self, connection: Connection, values: Values = _NOTHING) -> Any | None:
        """The first row; None where there is none."""
        rows = self.all(connection, values)
        return rows[0] if rows else None

    def scalar(self, connection: Connection, values: Values = _NOTHING) -> Any | None:
        """The first column of the first row; None where there is none."""
        rows = self.all(connection, values)
        return rows[0][0] if rows else None

    def new_id(self, connection: Connection, values: Values) -> int:
        """Of an INSERT that returns the id of its row."""
        rows = self.all(connection, values)
        number: int = rows[0][0]
        return number

    def _plan(self, connection: Connection, values: Values) -> _Plan:
        names = tuple(values)
        plan = self._plans.get(names)
        if plan is None:
            plan = self._plans[names] = _planned(self._statement, connection.dialect, names)
        return plan


def control(connection: Connection, sql: str) -> None:
    """Carry out a statement about transactions, such as SAVEPOINT."""
    if _is_sqlite(connection):
        _on_sqlite(connection, sql, lambda driver: driver.execute(sql))
    else:
        connection.exec_driver_sql(sql)


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


def _on_sqlite(connection: Connection, sql: str, work: Callable[[sqlite3.Connection], T]) -> T:
    assert connection.in_transaction()
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    try:
        return work(driver)
    except sqlite3.Error as error:
        raise DBAPIError.instance(sql, None, error, sqlite3.Error, hide_parameters=True) from error


def _planned(statement: Statement, dialect: Dialect, names: tuple[str, ...]) -> _Plan:
    compiled = statement.compile(dialect=dialect, column_keys=list(names))
    assert isinstance(compiled, SQLCompiler)
    assert not compiled.prefetch
    assert not any(bound.required and bound.expanding for bound in compiled.binds.values())
    whole = compiled.construct_expanded_state(dict.fromkeys(names))  # with the lists that are part of the statement
    positions = whole.positiontup or ()
    fixed = {name: whole.parameters[name] for name in positions if name not in names}
    return _Plan(whole.statement, _arguments(positions, fixed), _row(statement, dialect))


def _arguments(positions: Sequence[str], fixed: Values) -> Callable[[Values], tuple[Any, ...]]:
    """The values in their order; the driver takes all of the schema's types as they are."""
    if len(positions) > 1 and not fixed:
        return itemgetter(*positions)
    return lambda values: tuple([values[name] if name in values else fixed[name] for name in positions])


def _row(statement: Statement, dialect: Dialect) -> Callable[[Sequence[Any]], Any]:
    columns = list(statement.exported_columns)
    named = namedtuple("Row", [column.key for column in columns], rename=True)  # type: ignore[misc]
    converts = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
    if not any(converts):
        return named._make

    def converted(row: Sequence[Any]) -> Any:
        pairs = zip(row, converts, strict=True)
        return named._make([each if convert is None else convert(each) for each, convert in pairs])

    return converted
