"""What keeps what documents say to those who may read it: keys, sealed objects, and what is done to texts."""
