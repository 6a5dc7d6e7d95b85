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

/** Judges the client's close frame, then ends; an answer may leave the reason out. */
function judge(socket, wanted, isAnswer) {
  socket.on('close', (code, reason) => {
    const found = `${code},${reason}`;
    const bare = `${wanted.slice(0, wanted.indexOf(','))},`;
    report.check('close frame of the client', found === wanted || (isAnswer && found === bare),
      `found ${found}, expected ${wanted}`);
    report.finish();
  });
}

function serve(socket) {
  echo(socket);
  if (options['expect-close']) judge(socket, options['expect-close'], false);
  const close = options['send-close'];
  if (close) {
    judge(socket, close, true);
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
