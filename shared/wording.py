"""What pydantic says about a wrong value, in our words."""

_REWORDED = {
    "valid integer": "whole number",
    "valid number": "number",
    "valid boolean": "true or false",
    "valid dictionary": "JSON object",
    "valid string": "text",
}


def reword(message: str) -> str:
    """One complaint of pydantic as the end of a sentence that names the value: `must be at least 1`."""
    said, _, _ = message.replace("Value error, ", "").partition(", unable to")
    said, _, _ = said.partition(", got a number with a fractional part")
    said = said.replace("Input should be", "must be").replace("greater than or equal to", "at least")
    said = said.replace("less than or equal to", "at most").replace("greater than", "more than")
    for theirs, ours in _REWORDED.items():
        said = said.replace(f"a {theirs}", f"a {ours}" if ours not in {"true or false", "text"} else ours)
    return said.replace("Extra inputs are not permitted", "is no setting").replace("Field required", "is missing")
