"""Python `websockets` as echo server over HTTP/1.1.

usage: h1_server.py [--deflate] [--tls --ca-out FILE]
                    [--expect-close CODE,REASON | --send-close CODE,REASON [--count N]]

Prints `listening URL` for each endpoint. With `--deflate` there is one endpoint for each parameter
set. With a close option it serves one connection at each, checks how it ends, and exits with the
verdict: `--expect-close` waits for the client's close frame, `--send-close` sends N messages (40),
compares what a reflecting client returns, then closes.
"""

import argparse
import asyncio

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

import certificate
import deflate_sets
import messages
from report import Report

LIMIT = 64 << 20


async def echo(socket):
    try:
        async for message in socket:
            await socket.send(message)
    except ConnectionClosed:
        pass


def code_and_reason(text):
    code, _, reason = text.partition(",")
    return int(code), reason


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--deflate", action="store_true")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--ca-out", default="authority.pem")
    parser.add_argument("--expect-close", type=code_and_reason)
    parser.add_argument("--send-close", type=code_and_reason)
    parser.add_argument("--count", type=int, default=40)
    options = parser.parse_args()
    report = Report(220 + options.count)
    sets = list(deflate_sets.sets()) if options.deflate else [None]
    # One permit for each endpoint that has been judged.
    judged = asyncio.Semaphore(0)

    async def expect_close(socket):
        await echo(socket)
        received = socket.protocol.close_rcvd
        found = (received.code, received.reason) if received else None
        report.equal("the client's close frame", found, options.expect_close)
        judged.release()

    async def send_close(socket):
        async def conversation():
            if options.deflate and not socket.protocol.extensions:
                report.check("deflate", False, "not negotiated")
            for batch in messages.mix(options.count):
                for message in batch:
                    await socket.send(message)
                if [await socket.recv() for _ in batch] != batch:
                    report.check("reflected messages", False, "a message came back changed")
                    return
            report.check(f"{options.count} reflected messages", True)
            await socket.close(*options.send_close)

        await report.run("conversation", conversation())
        # The answer repeats the code; the reason may come back or not (RFC 6455 section 5.5.1).
        code, reason = options.send_close
        received = socket.protocol.close_rcvd
        passed = received and received.code == code and received.reason in ("", reason)
        report.check("the answer to our close frame", passed, received)
        judged.release()

    handler = echo
    if options.expect_close:
        handler = expect_close
    if options.send_close:
        handler = send_close

    tls = certificate.server_context(options.ca_out) if options.tls else None
    scheme = "wss" if tls else "ws"
    for parameters in sets:
        extensions = None
        if parameters:
            server, client, server_bits, client_bits = parameters
            extensions = [
                ServerPerMessageDeflateFactory(
                    server_no_context_takeover=server,
                    client_no_context_takeover=client,
                    server_max_window_bits=server_bits,
                    client_max_window_bits=client_bits,
                )
            ]
        running = await serve(
            handler,
            "127.0.0.1",
            0,
            ssl=tls,
            compression=None,
            extensions=extensions,
            max_size=LIMIT,
            ping_interval=None,
        )
        port = running.sockets[0].getsockname()[1]
        print(f"listening {scheme}://127.0.0.1:{port}/", flush=True)
    for _ in sets:
        await judged.acquire()
    report.finish()


asyncio.run(main())
