"""What the tests and benchmarks stand on: a scripted Lambda endpoint on loopback."""
