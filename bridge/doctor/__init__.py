"""What `mediabridge doctor` does: `checks.py` runs all checks in order, `machine.py`, `network.py` and
`outputs.py` are the checks by what they look at, `finding.py` is what each of them gives.
"""
