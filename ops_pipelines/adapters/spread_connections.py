"""Connections kept in a few pools instead of one, since a pool looks at each of its connections for each request, twice.

With fifty requests at once one pool takes a fifth of all that a call costs on this side. Requests go to the pools in turn.
"""

from itertools import cycle

import httpx2

POOLS = 8


class SpreadConnections(httpx2.AsyncBaseTransport):
    """The transport that asks through several pools. All of them trust what one would: SSL_CERT_FILE, else the system."""

    def __init__(self, limits: httpx2.Limits) -> None:
        trusted = httpx2.create_ssl_context()
        self._pools = [httpx2.AsyncHTTPTransport(verify=trusted, limits=limits) for _ in range(POOLS)]
        self._turns = cycle(self._pools)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The response of the next pool."""
        return await next(self._turns).handle_async_request(request)

    async def aclose(self) -> None:
        """Closes what every pool holds."""
        for pool in self._pools:
            await pool.aclose()
