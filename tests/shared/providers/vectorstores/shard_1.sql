-- A shard file of schema 1, as earlier releases laid it out.
PRAGMA application_id=1164801613;
PRAGMA user_version=1;
PRAGMA journal_mode=WAL;
CREATE TABLE shard (
    identity TEXT NOT NULL, seq INTEGER NOT NULL, floor INTEGER NOT NULL, dimensions INTEGER NOT NULL
);
CREATE TABLE vectors (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    document TEXT NOT NULL,
    version TEXT NOT NULL,
    generation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    chunk TEXT NOT NULL,
    uri TEXT NOT NULL,
    start INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    page INTEGER,
    index_version TEXT NOT NULL,
    metadata TEXT NOT NULL,
    vector BLOB NOT NULL,
    title TEXT NOT NULL,
    section TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX vectors_by_document ON vectors (document, version, generation);
CREATE INDEX vectors_by_uri ON vectors (uri);
CREATE INDEX vectors_by_seq ON vectors (seq);
CREATE TABLE tombstones (key INTEGER PRIMARY KEY, seq INTEGER NOT NULL);
CREATE INDEX tombstones_by_seq ON tombstones (seq);
CREATE VIRTUAL TABLE lexicon USING fts5 (
    title, section, text, content='vectors', content_rowid='key', tokenize='porter unicode61'
);
INSERT INTO shard VALUES ('0123456789abcdef', 1, 0, 8);
