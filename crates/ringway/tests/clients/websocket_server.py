"""A service that echoes WebSocket messages on $PORT, and lets nobody in at other addresses than /echo."""

import asyncio
import http
import os

import websockets


async def echo(socket):
    async for message in socket:
        if message == "bye":
            return await socket.close(1000, "bye")
        await socket.send(message)


def admit(connection, request):
    if request.path != "/echo":
        return connection.respond(http.HTTPStatus.FORBIDDEN, "not here\n")


async def main():
    async with websockets.serve(echo, "127.0.0.1", int(os.environ["PORT"]), process_request=admit, max_size=2**23) as server:
        await server.serve_forever()


asyncio.run(main())
