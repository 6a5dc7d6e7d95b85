"""`aioquic` and `wsproto` as echo server over HTTP/3.

usage: h3_server.py [--ca-out FILE] [--no-setting] [--deflate] [--leave-after N]

Prints `listening URL`. The options are those of `tunnel_server.py`.
"""

import asyncio
import functools
import os

from aioquic.asyncio import serve as listen
from aioquic.quic.configuration import QuicConfiguration

import certificate
import tunnel_server
from h3_tunnel import Carrier


async def main():
    options = tunnel_server.arguments().parse_args()
    configuration = QuicConfiguration(is_client=False, alpn_protocols=["h3"])
    chain = certificate.server_chain(options.ca_out)
    configuration.load_cert_chain(chain, chain)
    os.unlink(chain)
    create = functools.partial(
        Carrier,
        serve=tunnel_server.echo(options),
        allow_connect=not options.no_setting,
        deflate=options.deflate,
    )
    server = await listen("127.0.0.1", 0, configuration=configuration, create_protocol=create)
    port = server._transport.get_extra_info("sockname")[1]
    print(f"listening wss://127.0.0.1:{port}/", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
