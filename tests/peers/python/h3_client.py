"""`aioquic` and `wsproto` as client against an echo server over HTTP/3.

usage: h3_client.py URL [--ca FILE] [--page]

With `--page` the server must answer an ordinary GET beside its WebSockets.
"""

import argparse
import asyncio
import contextlib
import urllib.parse

from aioquic.asyncio import connect
from aioquic.quic.configuration import QuicConfiguration
from wsproto.events import Pong

import messages
from h3_tunnel import Carrier, Refused
from report import Report

MEBIBYTE = 1 << 20


class Client:
    def __init__(self, report, url, authority, stack):
        self.report = report
        self.url = urllib.parse.urlsplit(url)
        self.authority = authority
        self.stack = stack

    async def connect(self):
        """A connection, held until the end."""
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

    async def echoes(self, name, tunnel, message):
        await tunnel.send(message)
        self.report.equal(name, await tunnel.receive(), message)

    async def conversation(self):
        tunnel = await (await self.connect()).open(self.url)
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
        self.report.equal("the server ends the stream", await tunnel.events.get(), None)

    async def pipelined(self):
        tunnel = await (await self.connect()).open(self.url)
        sent = [str(number) for number in range(2_000)]

        async def send():
            for message in sent:
                await tunnel.send(message)

        sender = asyncio.ensure_future(send())
        found = [await tunnel.receive() for _ in sent]
        await sender
        self.report.check("2000 messages in flight come back in order", found == sent)
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
        try:
            await carrier.open(self.url, protocol="chat")
            self.report.check("an unknown protocol is refused", False, "it was accepted")
        except Refused as refused:
            self.report.equal("an unknown protocol is refused", str(refused), "status 501")
        await self.echoes("a tunnel after a refusal", tunnels[4], "still here")

    async def leave(self):
        carrier = await self.connect()
        tunnel = await carrier.open(self.url)
        await tunnel.send(messages.noise(MEBIBYTE))
        carrier.close(error_code=0x100)
        tunnel = await (await self.connect()).open(self.url)
        await self.echoes("a new connection after an abrupt leave", tunnel, "still here")

    async def page(self):
        carrier = await self.connect()
        tunnel = await carrier.open(self.url)
        headers, body = await carrier.get(self.url)
        self.report.equal("status of a page", headers[":status"], "200")
        self.report.check("body of a page", len(body) > 0)
        await self.echoes("a tunnel beside a page", tunnel, "still here")


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--ca")
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args()
    report = Report(150)
    async with contextlib.AsyncExitStack() as stack:
        client = Client(report, options.url, options.ca, stack)
        await report.run("conversation", client.conversation())
        await report.run("pipelined", client.pipelined())
        await report.run("streams", client.streams())
        await report.run("leave", client.leave())
        if options.page:
            await report.run("page", client.page())
        report.finish()


asyncio.run(main())
