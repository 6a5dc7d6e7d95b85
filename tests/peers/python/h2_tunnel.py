"""WebSocket in the streams of one HTTP/2 connection (RFC 8441), on Python `h2` and `wsproto`."""

import asyncio

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.extensions import PerMessageDeflate

ENABLE_CONNECT = h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL
READ = 1 << 16


class Refused(Exception):
    """The server answered with another status than 2xx, or reset the stream."""


class Tunnel:
    """One stream and the WebSocket in it."""

    def __init__(self, carrier, stream, kind):
        self.carrier = carrier
        self.stream = stream
        self.frames = Connection(kind)
        self.inbox = asyncio.Queue()
        self.events = asyncio.Queue()
        self.parts = []
        self.window = asyncio.Event()
        self.answer = asyncio.get_running_loop().create_future()
        carrier.spawn(self.read())

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

    async def end(self):
        if self.stream in self.carrier.tunnels:
            self.carrier.http.end_stream(self.stream)
            await self.carrier.flush()

    async def abort(self):
        """Resets the stream, as a lost TCP connection would."""
        self.carrier.http.reset_stream(self.stream, h2.errors.ErrorCodes.CANCEL)
        self.carrier.tunnels.pop(self.stream, None)
        await self.carrier.flush()
        self.finished("reset by us")

    async def transmit(self, data):
        """Writes bytes into the stream as flow control allows."""
        while data:
            if self.stream not in self.carrier.tunnels:
                raise ConnectionError("the stream ended")
            room = min(
                self.carrier.http.local_flow_control_window(self.stream),
                self.carrier.http.max_outbound_frame_size,
            )
            if room <= 0:
                self.window.clear()
                await self.window.wait()
                continue
            self.carrier.http.send_data(self.stream, data[:room])
            data = data[room:]
            await self.carrier.flush()

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
        self.window.set()
        self.inbox.put_nowait(None)
        if not self.answer.done():
            self.answer.set_exception(Refused(why))
            # Nobody may be waiting for it.
            self.answer.exception()


class Carrier:
    """One HTTP/2 connection. `serve`, if given, handles each tunnel a client opens."""

    def __init__(self, reader, writer, client, serve=None, allow_connect=True):
        self.reader = reader
        self.writer = writer
        self.serve = serve
        config = h2.config.H2Configuration(client_side=client, header_encoding="utf-8")
        self.http = h2.connection.H2Connection(config)
        if not client and allow_connect:
            # Before the preface, so that the first SETTINGS frame carries it.
            self.http.local_settings = h2.settings.Settings(
                client=False,
                initial_values={
                    ENABLE_CONNECT: 1,
                    h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 100,
                },
            )
        self.kind = ConnectionType.CLIENT if client else ConnectionType.SERVER
        self.tunnels = {}
        self.tasks = set()
        self.settings = asyncio.Event()

    async def run(self):
        """Reads until the connection ends."""
        try:
            self.http.initiate_connection()
            await self.flush()
            while data := await self.reader.read(READ):
                for event in self.http.receive_data(data):
                    await self.handle(event)
                await self.flush()
        except (ConnectionError, h2.exceptions.ProtocolError):
            pass
        finally:
            self.settings.set()
            for tunnel in self.tunnels.values():
                tunnel.finished("the connection ended")
            self.tunnels.clear()
            self.writer.close()

    async def handle(self, event):
        if isinstance(event, h2.events.RemoteSettingsChanged):
            self.settings.set()
            self.wake()
        elif isinstance(event, h2.events.WindowUpdated):
            self.wake()
        elif isinstance(event, h2.events.RequestReceived):
            await self.request(event)
        elif isinstance(event, h2.events.ResponseReceived):
            self.response(event)
        elif isinstance(event, h2.events.DataReceived):
            self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if event.stream_id in self.tunnels:
                self.tunnels[event.stream_id].inbox.put_nowait(event.data)
        elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
            tunnel = self.tunnels.pop(event.stream_id, None)
            if tunnel:
                tunnel.finished()

    def spawn(self, step):
        task = asyncio.ensure_future(step)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def wake(self):
        for tunnel in self.tunnels.values():
            tunnel.window.set()

    async def request(self, event):
        headers = dict(event.headers)
        wanted = headers.get(":method") == "CONNECT" and headers.get(":protocol") == "websocket"
        if not wanted or self.serve is None:
            self.http.send_headers(event.stream_id, [(":status", "501")], end_stream=True)
            return
        tunnel = Tunnel(self, event.stream_id, self.kind)
        self.tunnels[event.stream_id] = tunnel
        self.http.send_headers(event.stream_id, [(":status", "200")])
        self.spawn(self.serve(tunnel))

    def response(self, event):
        tunnel = self.tunnels.get(event.stream_id)
        status = dict(event.headers).get(":status", "")
        if tunnel and not tunnel.answer.done():
            if status.startswith("2"):
                tunnel.answer.set_result(dict(event.headers))
            else:
                tunnel.answer.set_exception(Refused(f"status {status}"))

    async def open(self, url, deflate=False):
        """Opens a tunnel to `url`, a parsed ws or wss address; waits for the setting first. With
        `deflate` it offers permessage-deflate and fails if that is not taken."""
        await asyncio.wait_for(self.settings.wait(), 10)
        if self.http.remote_settings.enable_connect_protocol != 1:
            raise Refused("the server does not allow extended CONNECT")
        stream = self.http.get_next_available_stream_id()
        tunnel = Tunnel(self, stream, self.kind)
        self.tunnels[stream] = tunnel
        fields = [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "https" if url.scheme == "wss" else "http"),
            (":path", url.path or "/"),
            (":authority", url.netloc),
            ("sec-websocket-version", "13"),
        ]
        extension = PerMessageDeflate()
        if deflate:
            fields.append(("sec-websocket-extensions", f"{extension.name}; {extension.offer()}"))
        self.http.send_headers(stream, fields)
        await self.flush()
        answer = await tunnel.answer
        if deflate:
            extension.finalize(answer["sec-websocket-extensions"])
            tunnel.frames = Connection(self.kind, [extension])
        return tunnel

    async def flush(self):
        data = self.http.data_to_send()
        if data:
            self.writer.write(data)
        await self.writer.drain()
