"""WebSocket in the streams of one HTTP/2 connection (RFC 8441), on Python `h2` and `wsproto`."""

import asyncio

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
from wsproto.connection import ConnectionType

import tunnel
from tunnel import Refused

ENABLE_CONNECT = h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL
READ = 1 << 16


class Tunnel(tunnel.Tunnel):
    """One stream and the WebSocket in it."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.window = asyncio.Event()

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

    def finished(self, why="the stream ended"):
        self.window.set()
        super().finished(why)


class Carrier:
    """One HTTP/2 connection. `serve`, if given, handles each tunnel a client opens."""

    def __init__(
        self, reader, writer, client, serve=None, allow_connect=True, deflate=False
    ):
        self.reader = reader
        self.writer = writer
        self.serve = serve
        self.deflate = deflate
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
            for each in self.tunnels.values():
                each.finished("the connection ended")
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
            ended = self.tunnels.pop(event.stream_id, None)
            if ended:
                ended.finished()

    def spawn(self, step):
        task = asyncio.ensure_future(step)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def wake(self):
        for each in self.tunnels.values():
            each.window.set()

    async def request(self, event):
        headers = dict(event.headers)
        wanted = headers.get(":method") == "CONNECT" and headers.get(":protocol") == "websocket"
        if not wanted or self.serve is None:
            self.http.send_headers(event.stream_id, [(":status", "501")], end_stream=True)
            return
        accepted = Tunnel(self, event.stream_id, self.kind, self.deflate)
        self.tunnels[event.stream_id] = accepted
        self.http.send_headers(event.stream_id, accepted.accept(headers))
        self.spawn(self.serve(accepted))

    def response(self, event):
        if event.stream_id in self.tunnels:
            self.tunnels[event.stream_id].answered(dict(event.headers))

    async def open(self, url, protocol="websocket", deflate=False):
        """Opens a tunnel to `url`, a parsed ws or wss address; waits for the setting first. With
        `deflate` it offers permessage-deflate and fails if that is not taken."""
        await asyncio.wait_for(self.settings.wait(), 10)
        if self.http.remote_settings.enable_connect_protocol != 1:
            raise Refused("the server does not allow extended CONNECT")
        stream = self.http.get_next_available_stream_id()
        opened = Tunnel(self, stream, self.kind, deflate)
        self.tunnels[stream] = opened
        self.http.send_headers(stream, opened.request(url, protocol))
        await self.flush()
        await opened.answer
        return opened

    async def flush(self):
        data = self.http.data_to_send()
        if data:
            self.writer.write(data)
        await self.writer.drain()
