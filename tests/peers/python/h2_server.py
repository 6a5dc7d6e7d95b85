"""Python `h2` and `wsproto` as echo server over HTTP/2.

usage: h2_server.py [--tls --ca-out FILE] [--no-setting] [--deflate] [--leave-after N]

Prints `listening URL`. The options are those of `tunnel_server.py`.
"""

import asyncio

import certificate
import tunnel_server
from h2_tunnel import Carrier


async def main():
    parser = tunnel_server.arguments()
    parser.add_argument("--tls", action="store_true")
    options = parser.parse_args()
    how = {
        "serve": tunnel_server.echo(options),
        "allow_connect": not options.no_setting,
        "deflate": options.deflate,
    }

    async def accept(reader, writer):
        await Carrier(reader, writer, client=False, **how).run()

    tls = certificate.server_context(options.ca_out, ["h2"]) if options.tls else None
    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    scheme = "wss" if tls else "ws"
    port = server.sockets[0].getsockname()[1]
    print(f"listening {scheme}://127.0.0.1:{port}/", flush=True)
    await server.serve_forever()


asyncio.run(main())
