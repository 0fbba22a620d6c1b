"""A real RabbitMQ of our own: from the machine's package, with files, ports and names that are its alone."""

from __future__ import annotations

import shutil
import signal
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import amqp

from tests.support.ports import steady_port
from worker.adapters.embedded import tethered
from worker.adapters.embedded.server import await_ready
from worker.adapters.embedded.tether import end
from worker.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"
# Not the wrapper beside it on the path: that one insists on a user of its own.
SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
CONTROL = SERVER.with_name("rabbitmqctl")
NODE = "rabbit@localhost"
# Frugal: no busy waiting, two schedulers. Nodes talk on the loopback interface only.
ERLANG = "-noinput +S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"
TLS = Path(__file__).parents[1] / "unit" / "adapters" / "tls"
CERTIFICATE = TLS / "certificate.pem"
CONFIGURATION = f"""\
disk_free_limit.absolute = 50MB
log.console = true
log.file = false
listeners.ssl.1 = {HOST}:{{port}}
ssl_options.certfile = {CERTIFICATE}
ssl_options.keyfile = {TLS / "key.pem"}
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a broker listens: for clients, for those with TLS, for nodes, and where its port mapper does."""

    amqp: int
    tls: int
    nodes: int
    mapper: int


class RabbitMQ:
    """A broker in `folder`; it can be stopped, killed and started again, and keeps its messages.

    Start it from the main thread. Its port mapper (epmd) ends with it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = Ports(*(steady_port() for _ in range(4)))
        self._mapper: subprocess.Popen[bytes] | None = None
        self._broker: subprocess.Popen[bytes] | None = None

    def url(self, vhost: str = "/", **parameters: str | int) -> str:
        """Return the address of a virtual host, with parameters."""
        query = "&".join(f"{name}={value}" for name, value in parameters.items())
        return f"amqp://guest:guest@{HOST}:{self._ports.amqp}/{quote(vhost, safe='')}" + f"?{query}" * bool(
            query
        )

    def tls_url(self, **parameters: str | int) -> str:
        """Return the address for clients with TLS."""
        plain = self.url("/", **parameters)
        return plain.replace("amqp:", "amqps:").replace(f":{self._ports.amqp}/", f":{self._ports.tls}/")

    @property
    def port(self) -> int:
        return self._ports.amqp

    @property
    def pid(self) -> int:
        assert self._broker is not None
        return self._broker.pid

    @contextmanager
    def channel(self) -> Iterator[amqp.Channel]:
        """Give a channel for what only tests do."""
        with amqp.Connection(f"{HOST}:{self._ports.amqp}", connect_timeout=5) as connection:
            yield connection.channel()

    def unread(self, queue: str) -> int:
        """Count what the broker has sent to nobody."""
        with self.channel() as channel:
            found: Any = channel.queue_declare(queue, passive=True)
            return int(found.message_count)

    def delete(self, queue: str) -> None:
        """Delete a queue, if it is there."""
        with self.channel() as channel:
            channel.queue_delete(queue)

    def has_written(self, queue: str) -> bool:
        """Say whether a quorum queue would be found after a power cut: its name is written a while later."""
        return any(
            queue.encode() in each.read_bytes() for each in self._folder.glob("data/*/quorum/*/names.dets")
        )

    def control(self, *command: str) -> None:
        """Run one of rabbitmqctl's commands."""
        subprocess.run(
            [CONTROL, "--node", NODE, *command],
            env=_environment(self._folder, self._ports),
            check=True,
            capture_output=True,
        )

    def ask(self, expression: str) -> str:
        """Return what an expression of Erlang comes to within the broker: at once, unlike `control`."""
        cookie = (self._folder / ".erlang.cookie").read_text()
        asked = subprocess.run(
            ["erl_call", "-name", NODE, "-c", cookie, "-e"],
            input=f"{expression}.\n".encode(),
            env=_environment(self._folder, self._ports),
            check=False,
            capture_output=True,
        )
        return asked.stdout.decode()

    def start(self) -> None:
        """Start it and wait until clients are served; raises ConfigurationError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "rabbitmq.conf").write_text(CONFIGURATION.format(port=self._ports.tls))
        if self._mapper is None:
            self._mapper = self._launch("epmd", _mapper_command(self._ports))
        self._broker = self._launch("broker", [str(SERVER)])
        await_ready(self._broker, self._answers, self._folder / "broker.log")

    def stop(self) -> None:
        """End it in its orderly way; messages stay."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would; durable messages stay."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """End it for good, with its port mapper."""
        self._end(signal.SIGKILL)
        if self._mapper is not None:
            end(self._mapper, signal.SIGTERM, timeout=5)
            self._mapper = None

    def _end(self, number: signal.Signals) -> None:
        if self._broker is not None:
            end(self._broker, number, timeout=30)
            self._broker = None

    def _launch(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        with (self._folder / f"{name}.log").open("ab") as output:
            return tethered(command, output=output, env=_environment(self._folder, self._ports))

    def _answers(self) -> bool:
        try:
            with amqp.Connection(f"{HOST}:{self._ports.amqp}", connect_timeout=5):
                return True
        except (OSError, amqp.AMQPError):
            return False


def _mapper_command(ports: Ports) -> list[str]:
    program = shutil.which("epmd")
    if program is None:
        raise ConfigurationError("epmd, Erlang's port mapper, is not installed")
    return [program, "-port", str(ports.mapper), "-address", HOST]


def _environment(folder: Path, ports: Ports) -> dict[str, str]:
    """Return all that the server's scripts look at; nothing of ours or of the machine's configuration."""
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(folder),  # where the cookie is
        "ERL_EPMD_PORT": str(ports.mapper),
        "ERL_EPMD_ADDRESS": HOST,
        "RABBITMQ_ALLOW_INPUT": "1",  # the script becomes the server instead of its parent
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_NODENAME": NODE,
        "RABBITMQ_NODE_IP_ADDRESS": HOST,
        "RABBITMQ_NODE_PORT": str(ports.amqp),
        "RABBITMQ_DIST_PORT": str(ports.nodes),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "logs"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ERLANG,
    }


@contextmanager
def running_rabbitmq(folder: Path) -> Iterator[RabbitMQ]:
    """Give a broker; raises ConfigurationError where there is none to start."""
    if not SERVER.exists():
        raise ConfigurationError("RabbitMQ is not installed (Debian: apt-get install rabbitmq-server)")
    with ExitStack() as stack:
        broker = RabbitMQ(folder)
        stack.callback(broker.close)
        broker.start()
        yield broker
