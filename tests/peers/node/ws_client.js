'use strict';
// npm's `ws` as client against an echo server over HTTP/1.1.
//
// usage: ws_client.js URL [--ca FILE] [--deflate [--count N]]
//
// With --deflate it opens one connection for each parameter set and sends N messages (40) on each.

const fs = require('node:fs');
const { once } = require('node:events');
const WebSocket = require('ws');

const { parse } = require('./arguments');
const { sets } = require('./deflate_sets');
const { SIZES, prose, noise, assorted, mix } = require('./messages');
const { Report } = require('./report');

const options = parse(['ca', 'count']);
const count = Number(options.count ?? 40);
const report = new Report(180 + count);

async function connect(perMessageDeflate = false) {
  const ca = options.ca ? fs.readFileSync(options.ca) : undefined;
  const socket = new WebSocket(options.url, { ca, perMessageDeflate, maxPayload: 64 << 20 });
  socket.waiting = [];
  socket.arrived = [];
  socket.on('message', (data, binary) => {
    const message = binary ? data : data.toString();
    const waiting = socket.waiting.shift();
    if (waiting) waiting.resolve(message);
    else socket.arrived.push(message);
  });
  socket.on('close', (code) => {
    for (const waiting of socket.waiting) waiting.reject(new Error(`closed with ${code}`));
  });
  await once(socket, 'open');
  return socket;
}

function receive(socket) {
  if (socket.arrived.length) return Promise.resolve(socket.arrived.shift());
  return new Promise((resolve, reject) => socket.waiting.push({ resolve, reject }));
}

function same(found, message) {
  return Buffer.isBuffer(message) ? message.equals(found) : message === found;
}

async function echoes(name, socket, message) {
  socket.send(message);
  report.equal(name, await receive(socket), message);
}

async function close(socket, code, reason) {
  const closed = once(socket, 'close');
  socket.close(code, reason);
  const [found, text] = await closed;
  return [found, text.toString()];
}

async function conversation() {
  const socket = await connect();
  for (const size of SIZES) {
    await echoes(`binary of ${size} bytes`, socket, noise(size));
    await echoes(`text of ${size} bytes`, socket, 'x'.repeat(size));
  }
  await echoes('text beyond ASCII', socket, prose(10_000));
  await echoes('binary of 16 MiB', socket, noise(16 << 20));
  socket.send('frag', { fin: false });
  socket.ping('between');
  socket.send('', { fin: false });
  socket.send('mented', { fin: true });
  report.equal('text in fragments with a ping between', await receive(socket), 'fragmented');
  const pong = once(socket, 'pong');
  socket.ping('payload');
  report.equal('pong', (await pong)[0].toString(), 'payload');
  const [code, reason] = await close(socket, 4001, 'bye, größer');
  report.check('close 4001 with a reason', code === 4001 && ['', 'bye, größer'].includes(reason),
    `${code} ${reason}`);
}

async function many() {
  const socket = await connect();
  const sent = assorted(400);
  for (const message of sent) socket.send(message);
  let changed = 0;
  for (const message of sent) changed += same(await receive(socket), message) ? 0 : 1;
  report.equal('400 messages in flight come back in order', changed, 0);
  await close(socket, 1000, '');
}

async function deflate({ name, options: parameters }) {
  const socket = await connect(parameters);
  if (!socket.extensions.includes('permessage-deflate')) {
    report.check(`deflate ${name}`, false, 'not negotiated');
    return;
  }
  for (const batch of mix(count)) {
    for (const message of batch) socket.send(message);
    for (const message of batch) {
      if (!same(await receive(socket), message)) {
        report.check(`deflate ${name}`, false, 'a message came back changed');
        return;
      }
    }
  }
  socket.send('uncompressed', { compress: false });
  report.equal(`deflate ${name}`, await receive(socket), 'uncompressed');
  await close(socket, 1000, '');
}

async function main() {
  if (options.deflate) {
    for (const set of sets()) await report.run(`deflate ${set.name}`, () => deflate(set));
  } else {
    await report.run('conversation', conversation);
    await report.run('many', many);
  }
  report.finish();
}

main();
