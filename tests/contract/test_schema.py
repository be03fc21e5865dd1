"""The schema a migration makes is the one the code works with."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, inspect, text

from yiku.app import build
from yiku.core import errors
from yiku.core.tenant import LOCAL_ACTOR
from yiku.settings import load
from yiku.store import schema
from yiku.store.migrations import run
from yiku.store.role_tables import metadata


@pytest.fixture
def engine(empty_database_url: str) -> Iterator[Engine]:
    made = create_engine(empty_database_url)
    yield made
    made.dispose()


def shape(connection: Connection) -> dict[str, object]:
    """Tables, columns, keys and indexes as the database tells them."""
    found = inspect(connection)
    return {
        name: (
            [(c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns(name)],
            sorted(found.get_pk_constraint(name)["constrained_columns"]),
            sorted(
                (k["constrained_columns"], k["referred_table"], str(k.get("options")))
                for k in found.get_foreign_keys(name)
            ),
            sorted(
                (i["name"] or "", [c or "" for c in i["column_names"]], bool(i["unique"]))
                for i in found.get_indexes(name)
            ),
            sorted(sorted(u["column_names"]) for u in found.get_unique_constraints(name)),
        )
        for name in found.get_table_names()
        if name != "alembic_version"
    }


@pytest.mark.filterwarnings("ignore:Did not recognize type 'vector'")
def test_a_fresh_schema_is_a_migrated_schema(engine: Engine) -> None:
    with engine.connect() as connection:
        run.upgrade(connection)
        migrated = shape(connection)
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []
        connection.rollback()
        metadata.drop_all(connection)
        metadata.create_all(connection)
        assert shape(connection) == migrated


@pytest.mark.filterwarnings("ignore:Did not recognize type 'vector'")
def test_what_was_used_of_a_day_is_counted_on(engine: Engine) -> None:
    """Its table is made anew with another key."""
    used = "SELECT organization_id, day, messages, tokens, shard FROM daily_usage"
    with engine.begin() as connection:
        command.upgrade(run.config(connection), "0009")
        owner = connection.execute(text("SELECT id FROM organization")).scalar_one()
        connection.execute(
            text("INSERT INTO daily_usage VALUES (:owner, '2026-11-22', 3, 40)"), {"owner": owner}
        )
        run.upgrade(connection)
        [row] = connection.execute(text(used))
        assert (row[0], str(row[1]), *row[2:]) == (owner, "2026-11-22", 3, 40, 0)


def test_the_newest_migration_is_the_one_the_code_asks_for() -> None:
    with create_engine("sqlite://").connect() as connection:
        scripts = ScriptDirectory.from_config(run.config(connection))
        assert scripts.get_heads() == [schema.HEAD]


async def test_a_database_of_a_newer_yiku_is_refused(
    empty_database_url: str, yiku_home: Path
) -> None:
    settings = load(home=yiku_home, database_url=empty_database_url)
    async with build(settings) as app:
        await app.database.write(
            LOCAL_ACTOR,
            lambda tx: tx.connection.execute(
                text("UPDATE alembic_version SET version_num = '9999'")
            ),
        )
    with pytest.raises(errors.MigrationNeeded, match="newer Yiku"):
        async with build(settings):
            pass


async def test_an_older_database_is_upgraded_only_where_that_is_allowed(
    empty_database_url: str, yiku_home: Path
) -> None:
    settings = load(home=yiku_home, database_url=empty_database_url, auto_migrate=False)
    async with build(settings) as app:  # empty: made, not migrated
        await app.database.write(
            LOCAL_ACTOR,
            lambda tx: tx.connection.execute(
                text("UPDATE alembic_version SET version_num = '0000'")
            ),
        )
    with pytest.raises(errors.MigrationNeeded, match="YIKU_AUTO_MIGRATE"):
        async with build(settings):
            pass


def test_migrations_are_part_of_the_package() -> None:
    folder = Path(run.__file__).parent
    assert (folder / "env.py").exists()
    assert list((folder / "versions").glob("m*.py"))
