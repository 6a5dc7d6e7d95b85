"""`aioquic` and `wsproto` as client against an echo server over HTTP/3.

usage: h3_client.py URL [--ca FILE] [--page]

With `--page` the server must answer an ordinary GET beside its WebSockets.
"""

import asyncio
import contextlib

from aioquic.asyncio import connect
from aioquic.quic.configuration import QuicConfiguration

import tunnel_client
from h3_tunnel import H3_NO_ERROR, Carrier


class Client(tunnel_client.Client):
    PIPELINED = 2_000

    def __init__(self, report, options, stack):
        super().__init__(report, options)
        self.stack = stack

    async def connect(self):
        configuration = QuicConfiguration(is_client=True, alpn_protocols=["h3"])
        if self.authority:
            configuration.load_verify_locations(self.authority)
        return await self.stack.enter_async_context(
            connect(
                self.url.hostname,
                self.url.port,
                configuration=configuration,
                create_protocol=Carrier,
            )
        )

    def leave(self, carrier):
        carrier.close(error_code=H3_NO_ERROR)

    async def page(self):
        carrier = await self.connect()
        tunnel = await carrier.open(self.url)
        headers, body = await carrier.get(self.url)
        self.report.equal("status of a page", headers[":status"], "200")
        self.report.check("body of a page", len(body) > 0)
        await self.echoes("a tunnel beside a page", tunnel, "still here")


async def main():
    parser = tunnel_client.arguments()
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args()
    report = tunnel_client.report()
    async with contextlib.AsyncExitStack() as stack:
        client = Client(report, options, stack)
        await client.run()
        if options.page:
            await report.run("page", client.page())
        report.finish()


asyncio.run(main())
