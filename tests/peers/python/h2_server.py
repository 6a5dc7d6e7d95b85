"""Python `h2` and `wsproto` as echo server over HTTP/2.

usage: h2_server.py [--tls --ca-out FILE] [--no-setting] [--leave-after N]

Prints `listening URL`. With `--no-setting` it does not allow extended CONNECT: a client must refuse
to go on. With `--leave-after N` it resets the stream after N messages.
"""

import argparse
import asyncio

from wsproto.events import CloseConnection

import certificate
from h2_tunnel import Carrier


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--ca-out", default="authority.pem")
    parser.add_argument("--no-setting", action="store_true")
    parser.add_argument("--leave-after", type=int)
    options = parser.parse_args()

    async def serve(tunnel):
        try:
            await echo(tunnel)
        except ConnectionError:
            # The client left; the next one is served all the same.
            pass

    async def echo(tunnel):
        count = 0
        while (event := await tunnel.events.get()) is not None:
            if isinstance(event, CloseConnection):
                await tunnel.transmit(tunnel.frames.send(event.response()))
                await tunnel.end()
                return
            if isinstance(event, (str, bytes, bytearray)):
                await tunnel.send(event)
                count += 1
            if options.leave_after is not None and count >= options.leave_after:
                await tunnel.abort()
                return

    async def accept(reader, writer):
        allow = not options.no_setting
        await Carrier(reader, writer, client=False, serve=serve, allow_connect=allow).run()

    tls = certificate.server_context(options.ca_out, ["h2"]) if options.tls else None
    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    scheme = "wss" if tls else "ws"
    port = server.sockets[0].getsockname()[1]
    print(f"listening {scheme}://127.0.0.1:{port}/", flush=True)
    await server.serve_forever()


asyncio.run(main())
