"""Import time of ``lambda_invoke``, beside that of attrs, cattrs and tenacity together.

Each import runs in a fresh interpreter; the empty interpreter's own start is taken off. Aim: at
most 1.3 times, and neither boto3 nor botocore loaded.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

AIM = 1.3
ROUNDS = 21
STATEMENTS = {
    "nothing": "pass",
    "attrs + cattrs + tenacity": "import attrs, cattrs, tenacity",
    "lambda_invoke": "from lambda_invoke import LambdaClient",
}


def start_up(statement: str) -> float:
    """Seconds that a fresh interpreter takes for a statement."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - begun


def main() -> None:
    """Measure and print."""
    loaded = (
        "import sys; from lambda_invoke import LambdaClient; "
        "print([m for m in ('boto3', 'botocore') if m in sys.modules])"
    )
    heavy = subprocess.run([sys.executable, "-c", loaded], check=True, capture_output=True, text=True)
    taken: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for _ in range(ROUNDS):
        for name, statement in STATEMENTS.items():
            taken[name].append(start_up(statement))
    empty = statistics.median(taken.pop("nothing"))
    net = {name: statistics.median(values) - empty for name, values in taken.items()}
    for name, seconds in net.items():
        print(f"{name:28} {seconds * 1e3:6.1f} ms beyond the empty interpreter's {empty * 1e3:.1f} ms")
    times = net["lambda_invoke"] / net["attrs + cattrs + tenacity"]
    print(f"aim: at most {AIM} x; {'reached' if times <= AIM else 'NOT reached'} ({times:.2f})")
    print(f"boto3 and botocore loaded by it: {heavy.stdout.strip()}")


if __name__ == "__main__":
    main()
