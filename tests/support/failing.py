"""A database that fails on purpose."""

from __future__ import annotations

from sqlalchemy import text

from tests.support.ground import Ground


def refuse_object(ground: Ground, object_id: str) -> None:
    """Let the database be unable to hold activities about this object."""
    with ground.engine.begin() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "RAISE EXCEPTION 'cannot be held' USING ERRCODE = '22000'; END $$"
            )
        )
        connection.execute(
            text(
                "CREATE TRIGGER refuse BEFORE INSERT ON activities FOR EACH ROW "
                f"WHEN (NEW.object_id = '{object_id}') EXECUTE FUNCTION refuse()"
            )
        )
