"""Media connections, one kind per module pair: `*_wire.py` is pure, the rest does the I/O.

Legs know `bridge.core.ports`, `bridge.core.events` and `mediacodecs`; never a facade, never another leg.
"""
