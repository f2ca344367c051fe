"""Measurements that a user can run again: ``python -m gridwire.bench imports``.

A measurement prints its figures beside the budget that gridwire promises, so that "fast enough" is a number on your own
machine and not a sentence in a README.
"""
