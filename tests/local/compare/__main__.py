"""Print the table of docs/local-compared.md: ``python -m tests.local.compare``."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.local.compare.table import columns, rendered

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(rendered(columns(Path(folder))))
