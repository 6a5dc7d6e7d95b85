"""Python `h2` and `wsproto` as client against an echo server over HTTP/2.

usage: h2_client.py URL [--ca FILE]

A ws:// address is spoken to in cleartext with prior knowledge, a wss:// address by ALPN.
"""

import argparse
import asyncio
import urllib.parse

from wsproto.events import Pong

import certificate
import messages
from h2_tunnel import Carrier
from report import Report

MEBIBYTE = 1 << 20


class Client:
    def __init__(self, report, url, authority):
        self.report = report
        self.url = urllib.parse.urlsplit(url)
        self.authority = authority
        # Held to the end: a connection that is forgotten is collected while it still reads.
        self.carriers = []

    async def connect(self):
        """A connection, its reader running."""
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

    async def echoes(self, name, tunnel, message):
        await tunnel.send(message)
        self.report.equal(name, await tunnel.receive(), message)

    async def conversation(self, deflate):
        tunnel = await (await self.connect()).open(self.url, deflate)
        for size in messages.SIZES:
            await self.echoes(f"binary of {size} bytes", tunnel, messages.noise(size))
            await self.echoes(f"text of {size} bytes", tunnel, "x" * size)
        await self.echoes("text beyond ASCII", tunnel, messages.prose(10_000))
        await tunnel.send_parts(["frag", "", "mented"])
        self.report.equal("text in fragments", await tunnel.receive(), "fragmented")
        await tunnel.ping(b"payload")
        answer = await tunnel.receive()
        found = bytes(answer.payload) if isinstance(answer, Pong) else answer
        self.report.equal("pong", found, b"payload")
        code, reason = await tunnel.close(4001, "bye, größer")
        passed = code == 4001 and reason in ("", "bye, größer")
        self.report.check("close 4001 with a reason", passed, f"{code} {reason}")

    async def pipelined(self):
        tunnel = await (await self.connect()).open(self.url)
        sent = [str(number) for number in range(10_000)]

        async def send():
            for message in sent:
                await tunnel.send(message)

        sender = asyncio.ensure_future(send())
        found = [await tunnel.receive() for _ in sent]
        await sender
        self.report.check("10000 messages in flight come back in order", found == sent)
        await tunnel.close(1000, "")

    async def streams(self):
        carrier = await self.connect()
        tunnels = [await carrier.open(self.url) for _ in range(10)]
        for number, tunnel in enumerate(tunnels):
            await tunnel.send(f"stream {number}")
        found = [await tunnel.receive() for tunnel in tunnels]
        wanted = [f"stream {number}" for number in range(10)]
        self.report.equal("ten tunnels in one connection", found, wanted)
        await tunnels[0].send(b"x" * 1000)
        await tunnels[0].abort()
        await self.echoes("a neighbour after a reset", tunnels[1], "still here")
        self.report.equal(
            "close of a neighbour", (await tunnels[2].close(1000, ""))[0], 1000
        )
        await self.echoes("another after a close", tunnels[3], messages.noise(MEBIBYTE))

    async def leave(self):
        carrier = await self.connect()
        tunnel = await carrier.open(self.url)
        await tunnel.send(messages.noise(MEBIBYTE))
        carrier.writer.transport.abort()
        tunnel = await (await self.connect()).open(self.url)
        await self.echoes("a new connection after an abrupt leave", tunnel, "still here")


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--ca")
    options = parser.parse_args()
    report = Report(150)
    client = Client(report, options.url, options.ca)
    await report.run("conversation", client.conversation(deflate=False))
    await report.run("conversation with deflate", client.conversation(deflate=True))
    await report.run("pipelined", client.pipelined())
    await report.run("streams", client.streams())
    await report.run("leave", client.leave())
    report.finish()


asyncio.run(main())
