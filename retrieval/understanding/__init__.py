"""What a search adds to a question before it looks: other names for what it names, and the questions in it.

The user's own words always vote; nothing here replaces them.
"""
