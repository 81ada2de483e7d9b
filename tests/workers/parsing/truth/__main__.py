"""`python -m tests.workers.parsing.truth FILE…` writes how files are read, to be made the truth once it is right."""

import sys
from pathlib import Path

from tests.workers.parsing.making import read
from tests.workers.parsing.truth.made import MADE
from tests.workers.parsing.truth.written import written

for name in sys.argv[1:]:
    data = MADE[name]() if name in MADE else Path(name).read_bytes()
    sys.stdout.write("\n".join(written(read(data, name))) + "\n")
