"""RabbitMQ from Debian's packages: a node of its own on private ports of loopback, ended by its processes' ids.

Its accounts: ``guest`` with a password, and ``sa-voorbeeld``, who logs in with a signed token as the password. Both
backends have to know the latter: this version asks the second one by the name alone when the session begins.
"""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import proton
import proton.utils
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from gridwire import clock

PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
QUEUE, CLOSED_QUEUE = "pie.notifications", "pie.closed"
USER = "sa-voorbeeld"
_PLUGINS = "[rabbitmq_amqp1_0,rabbitmq_auth_backend_oauth2]."
_BOOT_S = 60.0


class Signer:
    """Signs tokens as the node wants them."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def erlang_key(self) -> str:
        numbers = self._key.public_key().public_numbers()

        def number(value: int) -> str:
            raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
            return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

        fields = {"kty": "RSA", "alg": "RS256", "kid": "key-1", "n": number(numbers.n), "e": number(numbers.e)}
        return "#{" + ", ".join(f'<<"{name}">> => <<"{value}">>' for name, value in fields.items()) + "}"

    def token(self, *, life_s: float = 600.0, **claims: Any) -> str:
        body = {
            "sub": USER,
            "aud": ["pie"],
            "exp": int(clock.now().timestamp() + life_s),
            "scope": ["pie.read:*/*", "pie.write:*/*", "pie.configure:*/*"],
        }
        return jwt.encode({**body, **claims}, self._key, algorithm="RS256", headers={"kid": "key-1"})


class RabbitMq:
    """One node in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.signer = Signer()
        self.port, self._distribution, self._epmd = _free_ports(3)
        self._process: subprocess.Popen[bytes] | None = None
        self._write_settings()

    def _write_settings(self) -> None:
        files = {
            "enabled_plugins": _PLUGINS,
            "rabbitmq.conf": f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            "auth_backends.1 = rabbit_auth_backend_oauth2\nauth_backends.2 = internal\n"
            f"load_definitions = {self.folder / 'definitions.json'}\n",
            "advanced.config": '[{rabbitmq_auth_backend_oauth2, [{resource_server_id, <<"pie">>}, {key_config, '
            '[{default_key, <<"key-1">>}, {signing_keys, #{<<"key-1">> => {map, '
            f"{self.signer.erlang_key()}}}}}}}]}}]}}].\n",
            "definitions.json": json.dumps(_definitions()),
        }
        for name, text in files.items():
            (self.folder / name).write_text(text)

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        folder = self.folder
        environment = {
            "HOME": str(folder),
            "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}",
            "LC_ALL": "C.UTF-8",
            "RABBITMQ_NODENAME": f"gridwire{self.port}@localhost",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_FEATURE_FLAGS_FILE": str(folder / "feature_flags"),
            "RABBITMQ_PID_FILE": str(folder / "rabbit.pid"),
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_PORT": str(self._epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        with (folder / "server.out").open("ab") as out:
            self._process = subprocess.Popen(
                [PROGRAM], env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        self.wait()

    def wait(self) -> None:
        """Wait until it takes connections."""
        until = time.monotonic() + _BOOT_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > until:
                said = (self.folder / "server.out").read_text(errors="replace")[-2000:]
                raise AssertionError(f"RabbitMQ did not start:\n{said}")
            time.sleep(0.05)

    def signal(self, number: signal.Signals) -> None:
        """To the node and everything it has started."""
        assert self._process is not None
        os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """As a power cut; returns when the node is gone."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.signal(signal.SIGKILL)
            self._process.wait(10)
            self._process = None
            # What waits is the script; the node it started may take connections a little longer.
            until = time.monotonic() + 10
            with contextlib.suppress(OSError):
                while time.monotonic() < until:
                    socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                    time.sleep(0.01)

    def close(self) -> None:
        """End it and its name servers, which have left its process group."""
        self.kill()
        for pid in _name_servers(self._epmd):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def control(self, *arguments: str) -> None:
        """Have the node do something, as its operator would."""
        environment = {
            "HOME": str(self.folder),
            "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}",
            "LC_ALL": "C.UTF-8",
            "ERL_EPMD_PORT": str(self._epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        command = [str(PROGRAM.parent / "rabbitmqctl"), "-q", "-n", f"gridwire{self.port}@localhost", *arguments]
        subprocess.run(command, env=environment, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)

    def publish(self, *bodies: bytes) -> None:
        """Put messages into the queue, durable ones."""
        logging.getLogger("proton").setLevel(logging.WARNING)  # it tells every step of its machinery
        connection = proton.utils.BlockingConnection(
            f"127.0.0.1:{self.port}", user="guest", password="guest", allowed_mechs="PLAIN", timeout=10
        )
        try:
            sender = connection.create_sender(f"/amq/queue/{QUEUE}")
            for number, body in enumerate(bodies):
                sender.send(proton.Message(body=body, inferred=True, durable=True, id=f"{time.time_ns()}-{number}"))
        finally:
            connection.close()


def _definitions() -> dict[str, Any]:
    everything = {"vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}
    return {
        "vhosts": [{"name": "/"}],
        "users": [
            {"name": "guest", "password": "guest", "tags": "administrator"},
            {"name": USER, "password_hash": "", "tags": ""},
        ],
        "permissions": [
            {"user": "guest", **everything},
            {"user": USER, "vhost": "/", "configure": "^$", "write": "^$", "read": f"^{QUEUE}$"},
        ],
        "queues": [
            {"name": name, "vhost": "/", "durable": True, "auto_delete": False, "arguments": {}}
            for name in (QUEUE, CLOSED_QUEUE)
        ],
    }


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _name_servers(port: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if (
                entry.name.isdigit()
                and (entry / "comm").read_text().strip() == "epmd"
                and f"ERL_EPMD_PORT={port}".encode() in (entry / "environ").read_bytes().split(b"\0")
            ):
                found.append(int(entry.name))
    return found


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMq]:
    """A running node, the same for all tests of a session."""
    if not PROGRAM.exists():
        pytest.skip("RabbitMQ is not installed; `apt-get install --no-install-recommends rabbitmq-server` brings it")
    node = RabbitMq(tmp_path_factory.mktemp("rabbitmq"))
    try:
        node.start()
        yield node
    finally:
        node.close()
