"""What a client says to an echo server in the streams of HTTP/2 or HTTP/3."""

import argparse
import asyncio
import urllib.parse

from wsproto.events import Pong

import messages
from report import Report
from tunnel import Refused

MEBIBYTE = 1 << 20


class Client:
    """A version of HTTP adds `connect()`, which opens a connection that lives until the end, and
    `leave(carrier)`, which drops one without a goodbye."""

    # Messages in flight at once.
    PIPELINED = 10_000

    def __init__(self, report, options):
        self.report = report
        self.url = urllib.parse.urlsplit(options.url)
        self.authority = options.ca

    async def run(self):
        report = self.report
        await report.run("conversation", self.conversation(deflate=False))
        await report.run("conversation with deflate", self.conversation(deflate=True))
        await report.run("pipelined", self.pipelined())
        await report.run("streams", self.streams())
        await report.run("leave", self.abrupt_leave())

    async def echoes(self, name, tunnel, message):
        await tunnel.send(message)
        self.report.equal(name, await tunnel.receive(), message)

    async def conversation(self, deflate):
        tunnel = await (await self.connect()).open(self.url, deflate=deflate)
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
        sent = [str(number) for number in range(self.PIPELINED)]

        async def send():
            for message in sent:
                await tunnel.send(message)

        sender = asyncio.ensure_future(send())
        found = [await tunnel.receive() for _ in sent]
        await sender
        name = f"{self.PIPELINED} messages in flight come back in order"
        self.report.check(name, found == sent)
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

    async def abrupt_leave(self):
        carrier = await self.connect()
        tunnel = await carrier.open(self.url)
        await tunnel.send(messages.noise(MEBIBYTE))
        self.leave(carrier)
        tunnel = await (await self.connect()).open(self.url)
        await self.echoes("a new connection after an abrupt leave", tunnel, "still here")


def arguments():
    """The parser of `URL [--ca FILE]`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--ca")
    return parser


def report():
    return Report(150)
