"""The batch lane: what stages leave to it, what vendors are asked in it, and the life of a batch."""
