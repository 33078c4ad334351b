"""Many invocations at once: bounded, lazy, one outcome per item."""
