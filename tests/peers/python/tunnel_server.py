"""What an echo server in the streams of HTTP/2 or HTTP/3 does, and its command line."""

import argparse

from wsproto.events import CloseConnection


def arguments():
    """The parser of `[--ca-out FILE] [--no-setting] [--deflate] [--leave-after N]`.

    With `--no-setting` the server does not allow extended CONNECT: a client must refuse to go on.
    With `--deflate` it takes an offer of compression. With `--leave-after N` it resets the stream
    after N messages.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--ca-out", default="authority.pem")
    parser.add_argument("--no-setting", action="store_true")
    parser.add_argument("--deflate", action="store_true")
    parser.add_argument("--leave-after", type=int)
    return parser


def echo(options):
    """The task that serves one tunnel."""

    async def serve(tunnel):
        try:
            await converse(tunnel)
        except ConnectionError:
            # The client left; the next one is served all the same.
            pass

    async def converse(tunnel):
        if options.deflate and not tunnel.extension.enabled():
            print("FAIL deflate was not offered", flush=True)
            await tunnel.abort()
            return
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

    return serve
