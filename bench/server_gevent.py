# SPDX-License-Identifier: MIT
# bench/server_gevent.py - the servers on gevent.
import socket
import sys

from gevent.server import StreamServer

PIECE, BULK = 16384, 65536


def echo(client):
    while data := client.recv(PIECE):
        client.sendall(data)


def lines(client):
    for line in client.makefile('rb'):
        client.sendall(line)


def sink(client):
    total, buffer = 0, bytearray(BULK)
    while n := client.recv_into(buffer):
        total += n
    client.sendall(total.to_bytes(8, sys.byteorder))


serve = {'echo': echo, 'lines': lines, 'sink': sink}[sys.argv[1]]


def handle(client, _):
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        serve(client)
    except ConnectionError:
        pass


server = StreamServer(('127.0.0.1', 0), handle, backlog=4096)
server.start()
print(server.server_port, flush=True)
server.serve_forever()
