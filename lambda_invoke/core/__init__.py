"""Pure policy and decoding: no I/O, no clock, no randomness, no botocore."""
