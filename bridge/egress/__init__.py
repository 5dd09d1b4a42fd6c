"""The one gate for whatever the bridge reaches out to because somebody asked it to.

`gate.py` judges URLs and the addresses behind their names, `addresses.py` knows what an address is for,
`hosts.py` reads patterns of hosts. Pure: who looks names up and connects is in `bridge/runtime/`.
"""
