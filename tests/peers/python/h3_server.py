"""`aioquic` and `wsproto` as echo server over HTTP/3.

usage: h3_server.py [--ca-out FILE] [--no-setting] [--leave-after N]

Prints `listening URL`. With `--no-setting` it does not allow extended CONNECT: a client must refuse
to go on. With `--leave-after N` it resets the stream after N messages.
"""

import argparse
import asyncio
import functools
import os

from aioquic.asyncio import serve as listen
from aioquic.quic.configuration import QuicConfiguration
from wsproto.events import CloseConnection

import certificate
from h3_tunnel import Carrier


async def main():
    parser = argparse.ArgumentParser()
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

    configuration = QuicConfiguration(is_client=False, alpn_protocols=["h3"])
    chain = certificate.server_chain(options.ca_out)
    configuration.load_cert_chain(chain, chain)
    os.unlink(chain)
    create = functools.partial(Carrier, serve=serve, allow_connect=not options.no_setting)
    server = await listen("127.0.0.1", 0, configuration=configuration, create_protocol=create)
    port = server._transport.get_extra_info("sockname")[1]
    print(f"listening wss://127.0.0.1:{port}/", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
