"""Idempotency at the caller: one run for a business key, and its result for everybody who asks."""
