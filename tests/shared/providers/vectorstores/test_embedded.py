"""The embedded store: the contract, and what only files and processes can show."""
