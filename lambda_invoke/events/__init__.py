"""The asynchronous contract: from a 202 to a known outcome."""
