"""Carry connections to the API server of a network namespace: `python -m localcluster.forwarder PORT SOCKET...`.

Each SOCKET is the descriptor of a listening socket that was inherited; a socket stays in the network it was made in,
so one made before the namespace was entered takes connections from outside of it. PORT is where they go, on loopback.
"""

import asyncio
import socket
import sys

from localcluster.ports import ADDRESS

_CHUNK_BYTES = 65_536


async def serve(port: int, listeners: list[socket.socket]) -> None:
    """Carry connections of all listeners, until this process is ended."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection(ADDRESS, port)
        except OSError:  # the API server is away: the caller sees a closed connection, as it would from a dead server
            writer.close()
            return
        await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))

    async with asyncio.TaskGroup() as group:
        for listener in listeners:
            server = await asyncio.start_server(carry, sock=listener)
            group.create_task(server.serve_forever())


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy to the end of one direction, and close the other side then."""
    try:
        while chunk := await reader.read(_CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    except OSError:  # reset by one side: closing tells the other
        pass
    finally:
        writer.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), [socket.socket(fileno=int(number)) for number in sys.argv[2:]]))
