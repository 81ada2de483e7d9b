"""What seals bytes: keys out of keys, the envelope, the keys that a store is given, and the rotation of vectors."""
