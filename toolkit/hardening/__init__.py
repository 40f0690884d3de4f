"""Trials by hostile and unlucky circumstances: files that were spoilt, crowds, faults.

Nothing here is needed for an analysis; it is how the project tries itself, on a user's own computer
as well: ``python -m toolkit study hostile`` and ``study fuzz``.
"""
