"""The command tree of `python -m toolkit`."""
