"""Who may see what: principals, their tokens, and the labels of documents."""
