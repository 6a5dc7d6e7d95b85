"""The WebSocket in one stream of an HTTP/2 or HTTP/3 connection, on `wsproto`: RFC 8441, RFC 9220."""

import asyncio

from wsproto.connection import Connection, ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.extensions import PerMessageDeflate

EXTENSIONS = "sec-websocket-extensions"


class Refused(Exception):
    """The server answered with another status than 2xx, or reset the stream."""


class Tunnel:
    """One stream of `carrier` and the WebSocket in it. What writes to the stream is for each version
    of HTTP to say: `transmit`, `end` and `abort`."""

    def __init__(self, carrier, stream, kind, deflate=False):
        self.carrier = carrier
        self.stream = stream
        self.kind = kind
        self.extension = PerMessageDeflate() if deflate else None
        self.frames = Connection(kind)
        self.inbox = asyncio.Queue()
        self.events = asyncio.Queue()
        self.parts = []
        self.answer = asyncio.get_running_loop().create_future()
        carrier.spawn(self.read())

    def request(self, url, protocol="websocket"):
        """The fields that ask for it at `url`, a parsed ws or wss address."""
        fields = [
            (":method", "CONNECT"),
            (":protocol", protocol),
            (":scheme", "https" if url.scheme == "wss" else "http"),
            (":path", url.path or "/"),
            (":authority", url.netloc),
            ("sec-websocket-version", "13"),
        ]
        if self.extension:
            fields.append((EXTENSIONS, f"{self.extension.name}; {self.extension.offer()}"))
        return fields

    def accept(self, headers):
        """The fields that answer a request; deflate, where it was offered and is wanted."""
        fields = [(":status", "200")]
        if self.extension and EXTENSIONS in headers:
            accepted = self.extension.accept(headers[EXTENSIONS])
            fields.append((EXTENSIONS, f"{self.extension.name}; {accepted}".rstrip("; ")))
            self.frames = Connection(self.kind, [self.extension])
        return fields

    def answered(self, headers):
        """Takes the answer to our request."""
        if self.answer.done():
            return
        if not headers[":status"].startswith("2"):
            self.answer.set_exception(Refused(f"status {headers[':status']}"))
        elif self.extension and EXTENSIONS not in headers:
            self.answer.set_exception(Refused("deflate was not taken"))
        else:
            if self.extension:
                self.extension.finalize(headers[EXTENSIONS])
                self.frames = Connection(self.kind, [self.extension])
            self.answer.set_result(headers)

    async def send(self, message):
        """Sends text or bytes as one frame."""
        kind = TextMessage if isinstance(message, str) else BytesMessage
        await self.transmit(self.frames.send(kind(data=message)))

    async def send_parts(self, parts):
        """Sends text as fragments."""
        for number, part in enumerate(parts):
            last = number == len(parts) - 1
            await self.transmit(
                self.frames.send(TextMessage(data=part, message_finished=last))
            )

    async def ping(self, payload):
        await self.transmit(self.frames.send(Ping(payload=payload)))

    async def close(self, code, reason):
        """Closes, and returns the code and reason of the peer's close frame."""
        await self.transmit(self.frames.send(CloseConnection(code=code, reason=reason)))
        event = await self.events.get()
        while not isinstance(event, CloseConnection):
            event = await self.events.get()
        await self.end()
        return event.code, event.reason or ""

    async def receive(self):
        """The next message, whole; a pong or a close frame comes as its event."""
        event = await self.events.get()
        if event is None:
            raise ConnectionError("the stream ended")
        return event

    async def read(self):
        """Reads frames out of what arrives, until the stream ends."""
        while (data := await self.inbox.get()) is not None:
            if data and self.frames.state is not ConnectionState.CLOSED:
                await self.take(data)
        self.events.put_nowait(None)

    async def take(self, data):
        """Answers pings, queues everything else."""
        self.frames.receive_data(data)
        for event in self.frames.events():
            if isinstance(event, (TextMessage, BytesMessage)):
                self.parts.append(event.data)
                if event.message_finished:
                    empty = "" if isinstance(event, TextMessage) else b""
                    self.events.put_nowait(empty.join(self.parts))
                    self.parts = []
                continue
            if isinstance(event, Ping):
                await self.transmit(self.frames.send(Pong(payload=bytes(event.payload))))
            if isinstance(event, (Pong, CloseConnection)):
                self.events.put_nowait(event)

    def finished(self, why="the stream ended"):
        self.inbox.put_nowait(None)
        if not self.answer.done():
            self.answer.set_exception(Refused(why))
            # Nobody may be waiting for it.
            self.answer.exception()
