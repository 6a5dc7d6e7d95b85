"""Python `websockets` as client against an echo server over HTTP/1.1.

usage: h1_client.py URL [--ca FILE] [--deflate [--count N]]

With `--deflate` it opens one connection for each parameter set and sends N messages (40) on each.
"""

import argparse
import asyncio
import ssl

from websockets.asyncio.client import connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

import deflate_sets
import messages
from report import Report

MEBIBYTE = 1 << 20


class Client:
    def __init__(self, report, url, tls):
        self.report = report
        self.url = url
        self.tls = tls

    def connect(self, **options):
        options.setdefault("compression", None)
        return connect(
            self.url, ssl=self.tls, max_size=64 * MEBIBYTE, ping_interval=None, proxy=None, **options
        )

    async def echoes(self, name, socket, message):
        await socket.send(message)
        self.report.equal(name, await socket.recv(), message)

    async def conversation(self):
        async with self.connect() as socket:
            for size in messages.SIZES:
                await self.echoes(f"binary of {size} bytes", socket, messages.noise(size))
                await self.echoes(f"text of {size} bytes", socket, "x" * size)
            await self.echoes("text beyond ASCII", socket, messages.prose(10_000))
            await self.echoes("binary of 16 MiB", socket, messages.noise(16 * MEBIBYTE))

    async def fragments(self):
        async with self.connect() as socket:
            await socket.send(["frag", "", "men", "ted"])
            self.report.equal("text in fragments", await socket.recv(), "fragmented")
            parts = [messages.noise(40_000, seed) for seed in range(5)]
            await socket.send(parts)
            self.report.equal("binary in fragments", await socket.recv(), b"".join(parts))

    async def pings(self):
        async with self.connect() as socket:
            waiting = [await socket.ping(f"ping {number}") for number in range(10)]
            await asyncio.gather(*waiting)
            self.report.check("ten pings answered", True)
            await socket.pong(b"unasked")
            await self.echoes("message after an unasked pong", socket, "still here")

    async def close(self, name, code, reason):
        async with self.connect() as socket:
            await socket.send("before")
            await socket.recv()
            await socket.close(code, reason)
            received = socket.protocol.close_rcvd
            found = (received.code, received.reason) if received else None
            # The reason may come back or not; the code must.
            self.report.check(
                name, found is not None and found[0] == code and found[1] in ("", reason), found
            )

    async def many(self):
        async with self.connect() as socket:
            sent = list(messages.assorted(400))

            async def send():
                for message in sent:
                    await socket.send(message)

            sender = asyncio.create_task(send())
            found = [await socket.recv() for _ in sent]
            await sender
            self.report.check("400 messages in flight come back in order", found == sent)

    async def deflate(self, parameters, count):
        server, client, server_bits, client_bits = parameters
        name = f"deflate {deflate_sets.name(*parameters)}"
        factory = ClientPerMessageDeflateFactory(
            server_no_context_takeover=server,
            client_no_context_takeover=client,
            server_max_window_bits=server_bits,
            client_max_window_bits=client_bits or True,
        )
        async with self.connect(extensions=[factory]) as socket:
            agreed = socket.protocol.extensions
            if not agreed:
                self.report.check(name, False, "not negotiated")
                return
            if server and not agreed[0].remote_no_context_takeover:
                self.report.check(name, False, "server_no_context_takeover was not repeated")
                return
            if server_bits and agreed[0].remote_max_window_bits > server_bits:
                self.report.check(name, False, f"wider window: {agreed[0]}")
                return
            for batch in messages.mix(count):
                for message in batch:
                    await socket.send(message)
                if [await socket.recv() for _ in batch] != batch:
                    self.report.check(name, False, "a message came back changed")
                    return
            await socket.send(["frag", "ments ", "of " * 9_000])
            same = await socket.recv() == "fragments " + "of " * 9_000
            self.report.check(name, same, "fragments came back changed")


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--ca")
    parser.add_argument("--deflate", action="store_true")
    parser.add_argument("--count", type=int, default=40)
    options = parser.parse_args()
    report = Report(180 + options.count)
    tls = ssl.create_default_context(cafile=options.ca) if options.ca else None
    client = Client(report, options.url, tls)
    if options.deflate:
        for parameters in deflate_sets.sets():
            await report.run(deflate_sets.name(*parameters), client.deflate(parameters, options.count))
    else:
        await report.run("conversation", client.conversation())
        await report.run("fragments", client.fragments())
        await report.run("pings", client.pings())
        await report.run("close", client.close("close 4001 with a reason", 4001, "bye, größer"))
        await report.run("close", client.close("close 1000 without a reason", 1000, ""))
        await report.run("many", client.many())
    report.finish()


asyncio.run(main())
