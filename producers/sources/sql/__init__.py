"""Rows of a database as documents: Postgres, MySQL and MariaDB, SQLite."""
