"""The mixer, without I/O and without a clock of its own.

Imports numpy, mediacodecs and the standard library only; time comes in as `now` (seconds, monotonic).
"""
