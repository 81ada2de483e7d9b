"""The vector store on Pinecone."""
