"""The upstream of the proxy benchmark: answers everything with 1 KiB, as quickly as Python can. Its CPU time is not counted."""

import asyncio
import os

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n" + b"x" * 1024


class Upstream(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.rest = transport, b""

    def data_received(self, data):
        self.rest += data
        while (end := self.rest.find(b"\r\n\r\n")) >= 0:
            self.rest = self.rest[end + 4 :]
            self.transport.write(ANSWER)


async def main():
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", int(os.environ["PORT"]), backlog=512)
    await server.serve_forever()


asyncio.run(main())
