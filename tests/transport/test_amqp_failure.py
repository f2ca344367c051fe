"""What is said of an error of the operating system."""

from __future__ import annotations

import errno
import socket

import pytest

from gridwire.transport.amqp_failure import os_words


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "its name is not known"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('10.0.0.1', 5671)"), "Connection refused"),
        (ConnectionResetError(), "ConnectionResetError"),
        (ValueError("10.0.0.1"), "ValueError"),
    ],
)
def test_its_own_words_and_no_addresses(error: Exception, words: str) -> None:
    assert os_words(error) == words
