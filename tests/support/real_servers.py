"""The fixtures of tests marked ``real``, where the packages they need are there."""

from __future__ import annotations

from tests.support.rabbitmq import rabbitmq

__all__ = ["rabbitmq"]
