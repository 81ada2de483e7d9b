"""The tracking database: the only package that imports SQLAlchemy."""
