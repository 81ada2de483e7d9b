"""Owns the distinct of many numbers: `numpy.unique` loads masked arrays, a fortieth of a worker, and takes longer."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.integer[Any])


def distinct(numbers: NDArray[Number]) -> NDArray[Number]:
    """The numbers, ascending, each once."""
    ordered = np.sort(numbers)
    begins = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=begins[1:])
    return ordered[begins]


def ranges(starts: NDArray[np.intp], sizes: NDArray[Any]) -> NDArray[np.intp]:
    """All numbers from each start on, so many each."""
    before = np.cumsum(sizes, dtype=np.intp) - sizes
    return np.repeat(starts - before, sizes) + np.arange(sizes.sum())
