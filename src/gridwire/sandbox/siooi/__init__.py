"""A simulator of АС СиОИ: logins, a queue of jobs, forms, rights and objects, in three wires of our own making.

The venue's real wire is told on request only, so none of the three is it. They differ in everything a profile can say, to
show that the client takes its wire from there alone. Nothing of the client but profiles is used here.
"""

from __future__ import annotations

from gridwire.sandbox.siooi.venue import SiooiVenue

__all__ = ["SiooiVenue"]
