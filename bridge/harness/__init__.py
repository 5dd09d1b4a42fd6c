"""Clients that behave like the outside world: simulated callers for tests, samples and the command line."""
