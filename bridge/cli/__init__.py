"""The command line: `main.py` knows the commands, the other modules their arguments and what these ask for.

Nothing is imported here, and nothing heavy at the top of the modules: `--help` has to be there at once.
"""
