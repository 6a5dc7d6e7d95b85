'use strict';
// npm's `ws` as its documentation shows an echo server, for the benches. Prints its port.

const { WebSocketServer } = require('ws');

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, maxPayload: 64 << 20 });

server.on('connection', (socket) => {
  socket.on('error', () => {});
  socket.on('message', (data, binary) => socket.send(data, { binary }));
});
server.on('listening', () => console.log(server.address().port));
