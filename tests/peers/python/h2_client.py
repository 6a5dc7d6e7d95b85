"""Python `h2` and `wsproto` as client against an echo server over HTTP/2.

usage: h2_client.py URL [--ca FILE]

A ws:// address is spoken to in cleartext with prior knowledge, a wss:// address by ALPN.
"""

import asyncio

import certificate
import tunnel_client
from h2_tunnel import Carrier


class Client(tunnel_client.Client):
    def __init__(self, report, options):
        super().__init__(report, options)
        # Held to the end: a connection that is forgotten is collected while it still reads.
        self.carriers = []

    async def connect(self):
        tls = None
        if self.url.scheme == "wss":
            tls = certificate.client_context(self.authority, ["h2"])
        reader, writer = await asyncio.open_connection(self.url.hostname, self.url.port, ssl=tls)
        if tls:
            chosen = writer.get_extra_info("ssl_object").selected_alpn_protocol()
            if chosen != "h2":
                raise ConnectionError(f"ALPN chose {chosen}")
        carrier = Carrier(reader, writer, client=True)
        carrier.spawn(carrier.run())
        self.carriers.append(carrier)
        return carrier

    def leave(self, carrier):
        carrier.writer.transport.abort()


async def main():
    report = tunnel_client.report()
    await Client(report, tunnel_client.arguments().parse_args()).run()
    report.finish()


asyncio.run(main())
