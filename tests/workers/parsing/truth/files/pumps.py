"""Pumps and what they do."""

import math

LIMIT = 4


# A pump is known by its name.
@dataclass
class Pump:
    name: str

    def start(self) -> None:
        self.runs = True


def area(radius: float) -> float:
    """Of a circle."""

    return math.pi * radius**2


print(area(LIMIT))
