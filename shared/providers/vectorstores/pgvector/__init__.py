"""The vector store on Postgres with pgvector."""
