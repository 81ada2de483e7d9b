"""Models judge what similarity found: a cheap one sifts, a strong one grades and quotes, and nothing is believed."""
