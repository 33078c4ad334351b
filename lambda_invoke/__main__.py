"""``python -m lambda_invoke``."""

import sys

from lambda_invoke.cli import main

if __name__ == "__main__":
    sys.exit(main())
