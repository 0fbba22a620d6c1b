"""The database: PostgreSQL and SQLite through SQLAlchemy Core."""
