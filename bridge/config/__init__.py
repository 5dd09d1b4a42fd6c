"""The configuration: `tree.py` is everything that can be set, `source.py` where it comes from.

`settings.py` reads any such tree, `kinds.py` says what single settings may be, `checks.py` what they must be
together. For the composition root and the command line: all other parts are given what they need.
"""
