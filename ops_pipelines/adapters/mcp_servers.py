"""Where an MCP server is: a command that speaks over its standard input and output, or an address of HTTP."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.mcp_http import over_http
from ops_pipelines.adapters.mcp_stdio import MESSAGE_BYTES, over_stdio
from ops_pipelines.core.errors import ConfigError

if TYPE_CHECKING:
    from fastmcp import Client

_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A command with its folder and what is added to its environment, or a URL with headers.

    In the values of `env` and `headers` `${NAME}` stands for a variable of this process's environment, so that no secret
    lies in a file. A server that says more than `message_bytes` at once is read no further.
    """

    command: tuple[str, ...] = ()
    url: str = ""
    folder: Path = Path()
    env: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    message_bytes: int = MESSAGE_BYTES

    @classmethod
    def from_json(cls, name: str, record: Mapping[str, Any], *, folder: Path) -> "ServerAddress":
        """The address that plain JSON tells; ConfigError for none, for both kinds, and for an unset variable."""
        command, url = record.get("command", ()), record.get("url", "")
        if bool(command) == bool(url) or isinstance(command, str):
            raise ConfigError(
                f"The MCP server {name!r} is neither a command nor a url",
                expected="`command`, a list of words, or `url`",
                action="Say one of them",
                server=name,
            )
        env, headers = ({k: _filled(name, str(v)) for k, v in (record.get(key) or {}).items()} for key in _FILLED)
        most = int(record.get("message_bytes", MESSAGE_BYTES))
        return cls(tuple(map(str, command)), str(url), folder, env, headers, most)

    def client(self) -> "Client[Any]":
        """A client that is not open yet. It offers a server nothing: no model, no question to a person, no folder."""
        from fastmcp import Client

        if self.url:
            far = over_http(self.url, headers=self.headers, message_bytes=self.message_bytes)
            return Client(far, log_handler=_unheard)
        env = {**os.environ, **self.env}
        transport = over_stdio(self.command, env=env, folder=self.folder, message_bytes=self.message_bytes)
        return Client(transport, log_handler=_unheard)


_FILLED = ("env", "headers")


async def _unheard(_: Any) -> None:
    """What a server has to say besides its answers: a stranger's words do not go into our own log."""


def _filled(server: str, text: str) -> str:
    def value(found: re.Match[str]) -> str:
        if found[1] not in os.environ:
            raise ConfigError(
                f"The MCP server {server!r} needs the environment variable {found[1]}, which is not set",
                expected="a value for it",
                action="Set it before the gateway is started",
                server=server,
            )
        return os.environ[found[1]]

    return _VARIABLE.sub(value, text)
