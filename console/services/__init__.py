"""The application layer: each thing that a user can do is a function here; every door calls them."""
