"""WebSocket in the streams of one HTTP/3 connection (RFC 9220), on `aioquic` and `wsproto`."""

import asyncio

from aioquic.asyncio import QuicConnectionProtocol
from aioquic.h3.connection import H3Connection, Setting
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.events import ConnectionTerminated, StopSendingReceived, StreamReset
from wsproto.connection import ConnectionType

import tunnel
from tunnel import Refused

H3_NO_ERROR = 0x100
H3_REQUEST_CANCELLED = 0x10C
# Written to the stream at a time; aioquic itself buffers without end.
PIECE = 1 << 16


class Tunnel(tunnel.Tunnel):
    """One stream and the WebSocket in it."""

    async def end(self):
        if not self.carrier.closed:
            self.carrier.http.send_data(self.stream, b"", end_stream=True)
            self.carrier.transmit()

    async def abort(self):
        """Resets the stream in both directions, as a lost TCP connection would."""
        self.carrier.quic.reset_stream(self.stream, H3_REQUEST_CANCELLED)
        self.carrier.quic.stop_stream(self.stream, H3_REQUEST_CANCELLED)
        self.carrier.tunnels.pop(self.stream, None)
        self.carrier.transmit()
        self.finished("reset by us")

    async def transmit(self, data):
        for start in range(0, len(data), PIECE):
            if self.carrier.closed or self.stream not in self.carrier.tunnels:
                raise ConnectionError("the stream ended")
            self.carrier.http.send_data(
                self.stream, data[start : start + PIECE], end_stream=False
            )
            self.carrier.transmit()
            # Lets the loop read in between.
            await asyncio.sleep(0)


class Connection(H3Connection):
    """Allows extended CONNECT only where it is told to."""

    def __init__(self, quic, allow_connect):
        self.allow_connect = allow_connect
        super().__init__(quic)

    def _get_local_settings(self):
        settings = super()._get_local_settings()
        settings.pop(Setting.ENABLE_CONNECT_PROTOCOL, None)
        if self.allow_connect:
            settings[Setting.ENABLE_CONNECT_PROTOCOL] = 1
        return settings


class Carrier(QuicConnectionProtocol):
    """One HTTP/3 connection. `serve`, if given, handles each tunnel a client opens."""

    def __init__(
        self, quic, stream_handler=None, serve=None, allow_connect=True, deflate=False
    ):
        super().__init__(quic, stream_handler)
        self.quic = quic
        self.serve = serve
        self.deflate = deflate
        self.http = Connection(quic, allow_connect)
        client = quic.configuration.is_client
        self.kind = ConnectionType.CLIENT if client else ConnectionType.SERVER
        self.tunnels = {}
        self.pages = {}
        self.tasks = set()
        self.settings = asyncio.Event()
        self.closed = False
        self.close_code = asyncio.get_event_loop().create_future()

    def quic_event_received(self, event):
        if isinstance(event, ConnectionTerminated):
            self.closed = True
            self.settings.set()
            self.close_code.set_result(event.error_code)
            for each in self.tunnels.values():
                each.finished("the connection ended")
            self.tunnels.clear()
            return
        if isinstance(event, (StreamReset, StopSendingReceived)):
            left = self.tunnels.get(event.stream_id)
            # A peer that has said goodbye may stop reading without error.
            if left and event.error_code != H3_NO_ERROR:
                self.tunnels.pop(event.stream_id)
                left.finished(f"reset with {event.error_code:#x}")
        for http_event in self.http.handle_event(event):
            self.handle(http_event)
        if self.http.received_settings is not None:
            self.settings.set()

    def handle(self, event):
        stream = event.stream_id
        if isinstance(event, HeadersReceived):
            headers = {name.decode(): value.decode() for name, value in event.headers}
            if ":method" in headers:
                self.request(stream, headers)
            elif stream in self.pages:
                self.pages[stream].append(headers)
            else:
                self.response(stream, headers)
        if isinstance(event, DataReceived) and event.data:
            if stream in self.tunnels:
                self.tunnels[stream].inbox.put_nowait(event.data)
            elif stream in self.pages:
                self.pages[stream].append(event.data)
        if getattr(event, "stream_ended", False):
            ended = self.tunnels.get(stream)
            if ended:
                ended.finished()
            elif stream in self.pages:
                self.pages[stream].append(None)

    def spawn(self, step):
        task = asyncio.ensure_future(step)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def request(self, stream, headers):
        wanted = headers[":method"] == "CONNECT" and headers.get(":protocol") == "websocket"
        if not wanted or self.serve is None:
            self.http.send_headers(stream, [(b":status", b"501")], end_stream=True)
            self.transmit()
            return
        accepted = Tunnel(self, stream, self.kind, self.deflate)
        self.tunnels[stream] = accepted
        self.http.send_headers(stream, encoded(accepted.accept(headers)))
        self.transmit()
        self.spawn(self.serve(accepted))

    def response(self, stream, headers):
        if stream in self.tunnels:
            self.tunnels[stream].answered(headers)

    async def open(self, url, protocol="websocket", deflate=False):
        """Opens a tunnel to `url`, a parsed wss address; waits for the setting first. With
        `deflate` it offers permessage-deflate and fails if that is not taken."""
        await asyncio.wait_for(self.settings.wait(), 10)
        if self.http.received_settings.get(Setting.ENABLE_CONNECT_PROTOCOL) != 1:
            raise Refused("the server does not allow extended CONNECT")
        stream = self.quic.get_next_available_stream_id()
        opened = Tunnel(self, stream, self.kind, deflate)
        self.tunnels[stream] = opened
        self.http.send_headers(stream, encoded(opened.request(url, protocol)))
        self.transmit()
        await opened.answer
        return opened

    async def get(self, url):
        """Asks for a page; returns its headers and its body."""
        stream = self.quic.get_next_available_stream_id()
        page = self.pages[stream] = []
        headers = [(":method", "GET"), (":scheme", "https")]
        headers += [(":authority", url.netloc), (":path", url.path or "/")]
        self.http.send_headers(stream, encoded(headers), end_stream=True)
        self.transmit()
        while not page or page[-1] is not None:
            await asyncio.sleep(0.01)
        return page[0], b"".join(page[1:-1])


def encoded(fields):
    return [(name.encode(), value.encode()) for name, value in fields]
