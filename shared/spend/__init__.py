"""Money: prices, budgets, the ledger, and the one entry through which a stage calls a provider."""
