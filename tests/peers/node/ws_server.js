'use strict';
// npm's `ws` as echo server over HTTP/1.1.
//
// usage: ws_server.js [--deflate] [--send-close CODE,REASON] [--expect-close CODE,REASON]
//
// Prints `listening URL` for each endpoint; with --deflate there is one for each parameter set.
// With a close option it serves one connection and exits with the verdict.

const { once } = require('node:events');
const { WebSocketServer } = require('ws');

const { parse } = require('./arguments');
const { sets } = require('./deflate_sets');
const { Report } = require('./report');

const options = parse(['send-close', 'expect-close']);
const report = new Report(220);

function echo(socket) {
  socket.on('error', (error) => console.log(`FAIL connection ${error.message}`));
  socket.on('message', (data, binary) => socket.send(data, { binary }));
}

/** Judges the code and the reason of the client's close frame, then ends. */
function judge(socket, wanted) {
  socket.on('close', (code, reason) => {
    report.equal('close frame of the client', `${code},${reason}`, wanted);
    report.finish();
  });
}

function serve(socket) {
  echo(socket);
  if (options['expect-close']) judge(socket, options['expect-close']);
  const close = options['send-close'];
  if (close) {
    judge(socket, close);
    const comma = close.indexOf(',');
    socket.close(Number(close.slice(0, comma)), close.slice(comma + 1));
  }
}

async function listen(perMessageDeflate) {
  const server = new WebSocketServer({
    host: '127.0.0.1', port: 0, perMessageDeflate, maxPayload: 64 << 20,
  });
  server.on('connection', serve);
  await once(server, 'listening');
  console.log(`listening ws://127.0.0.1:${server.address().port}/`);
}

async function main() {
  if (!options.deflate) await listen(false);
  else for (const set of sets()) await listen(set.options);
}

main();
