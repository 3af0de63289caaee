# SPDX-License-Identifier: MIT
# bench/server_asyncio.py - the servers on Python's asyncio streams.
import asyncio
import sys

PIECE, BULK = 16384, 65536


async def echo(reader, writer):
    while data := await reader.read(PIECE):
        writer.write(data)
        await writer.drain()


async def lines(reader, writer):
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()


async def sink(reader, writer):
    total = 0
    while data := await reader.read(BULK):
        total += len(data)
    writer.write(total.to_bytes(8, sys.byteorder))
    await writer.drain()


async def main():
    serve = {'echo': echo, 'lines': lines, 'sink': sink}[sys.argv[1]]

    async def client(reader, writer):
        try:
            await serve(reader, writer)
        except ConnectionError:
            pass
        writer.close()

    server = await asyncio.start_server(client, '127.0.0.1', 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
