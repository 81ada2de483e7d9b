"""What is left out of sources unless it is asked for: hidden things, what tools make, and secrets."""
