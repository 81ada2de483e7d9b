"""Other names of what a query names: found in the owner's thesaurus, looked for too, and counted less."""
