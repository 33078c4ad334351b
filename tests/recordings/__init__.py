"""Tests against recorded replies, run by a nox session of their own."""
