"""Where an MCP server is: a command that speaks over its standard input and output, or an address of HTTP."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.errors import ConfigError

if TYPE_CHECKING:
    from fastmcp import Client

_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A command with its folder and what is added to its environment, or a URL with headers.

    In the values of `env` and `headers` `${NAME}` stands for a variable of this process's environment, so that no secret
    lies in a file.
    """

    command: tuple[str, ...] = ()
    url: str = ""
    folder: Path = Path()
    env: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

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
        return cls(tuple(map(str, command)), str(url), folder, env, headers)

    def client(self) -> "Client[Any]":
        """A client that is not open yet."""
        from fastmcp import Client
        from fastmcp.client.transports import StdioTransport, StreamableHttpTransport

        if self.url:
            return Client(StreamableHttpTransport(self.url, headers=dict(self.headers)))
        first, *words = self.command
        return Client(
            StdioTransport(first, words, env={**os.environ, **self.env}, cwd=str(self.folder), keep_alive=False)
        )


_FILLED = ("env", "headers")


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
