"""Who did what: records in chains that nobody changes unseen, anchors of them elsewhere, and their checking."""
