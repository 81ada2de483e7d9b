"""The entry of a parser process: it starts lightly, and then loads what parses."""

from embedmill.shared.inherited import begin_as_usual
from embedmill.shared.roomy import with_room
from embedmill.shared.starting import start_lightly


def main() -> None:
    """Answer requests until the parent goes."""
    begin_as_usual()
    start_lightly()
    from embedmill.workers.parsing.child import main as serve

    serve()


if __name__ == "__main__":
    with_room(main)
