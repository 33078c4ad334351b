"""The only code that sends invocations."""
