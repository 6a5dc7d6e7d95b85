'use strict';
// npm's `ws` as echo server over HTTP/1.1.
//
// usage: ws_server.js [--deflate] [--expect-close CODE,REASON]
//                     [--send-close CODE,REASON [--count N]]
//
// Prints `listening URL` for each endpoint; with --deflate there is one for each parameter set.
// With a close option it serves one connection at each and exits with the verdict. With --count it
// sends N messages first and compares what a reflecting client returns.

const { on, once } = require('node:events');
const { WebSocketServer } = require('ws');

const { parse } = require('./arguments');
const { sets } = require('./deflate_sets');
const { mix } = require('./messages');
const { Report } = require('./report');

const options = parse(['send-close', 'expect-close', 'count']);
const count = Number(options.count ?? 0);
const report = new Report(220 + count);
// Endpoints that have not been judged yet.
let open = options.deflate ? sets().length : 1;

function echo(socket) {
  socket.on('message', (data, binary) => socket.send(data, { binary }));
}

/** Sends all messages; resolves when the client has returned them. */
async function reflected(socket) {
  const arrived = on(socket, 'message');
  for (const batch of mix(count)) {
    for (const message of batch) socket.send(message);
    for (const message of batch) {
      const [data, binary] = (await arrived.next()).value;
      const same = binary ? data.equals(message) : data.toString() === message;
      if (!same) {
        report.check('reflected messages', false, 'a message came back changed');
        return;
      }
    }
  }
  report.check(`${count} reflected messages`, true);
}

/** Judges the client's close frame, then ends; an answer may leave the reason out. */
function judge(socket, wanted, isAnswer) {
  socket.on('close', (code, reason) => {
    const found = `${code},${reason}`;
    const bare = `${wanted.slice(0, wanted.indexOf(','))},`;
    report.check('close frame of the client', found === wanted || (isAnswer && found === bare),
      `found ${found}, expected ${wanted}`);
    open -= 1;
    if (open === 0) report.finish();
  });
}

async function serve(socket) {
  socket.on('error', (error) => console.log(`FAIL connection ${error.message}`));
  if (options.deflate && !socket.extensions) report.check('deflate', false, 'not negotiated');
  if (options['expect-close']) judge(socket, options['expect-close'], false);
  const close = options['send-close'];
  if (!close) echo(socket);
  else {
    judge(socket, close, true);
    await reflected(socket);
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
