"""WebSocket through every node of NODES: text and binary, large and small, compressed, pings, an orderly end, an origin refused."""

import asyncio
import os
import sys

import websockets

faults = []


def expect(what, got, wanted):
    if got != wanted:
        faults.append(f"{what}: {str(got)[:80]!r} instead of {str(wanted)[:80]!r}")


async def talk(address):
    host, port = address.rsplit(":", 1)
    url = "ws://talk.localhost/echo"
    async with websockets.connect(url, host=host, port=int(port), max_size=2**23) as socket:
        await socket.send("hello")
        expect("a text", await socket.recv(), "hello")
        for size in (1, 125, 126, 65535, 65536, 4_000_000):
            message = os.urandom(size)
            await socket.send(message)
            expect(f"{size} bytes", await socket.recv(), message)
        await (await socket.ping())
        await socket.send("bye")
        try:
            await socket.recv()
        except websockets.ConnectionClosedOK as closed:
            expect("the reason of the end", (closed.rcvd.code, closed.rcvd.reason), (1000, "bye"))
    try:
        await websockets.connect("ws://talk.localhost/no", host=host, port=int(port))
        faults.append("what the app refuses is let through")
    except websockets.InvalidStatus as refused:
        expect("a refusal", refused.response.status_code, 403)


for address in os.environ["NODES"].split():
    asyncio.run(asyncio.wait_for(talk(address), 60))
print("\n".join(faults) or "fine")
sys.exit(bool(faults))
