'use strict';
// Node's `http2` as client against an echo server over HTTP/2 (RFC 8441).
//
// usage: http2_client.js URL [--ca FILE]

const fs = require('node:fs');
const http2 = require('node:http2');
const { once } = require('node:events');

const { parse } = require('./arguments');
const { Decoder, OPCODES, encode, encodeClose } = require('./frames');
const { SIZES, prose, noise } = require('./messages');
const { Report } = require('./report');

const options = parse(['ca']);
const report = new Report(150);
const masked = true;

async function connect() {
  const url = new URL(options.url);
  const secure = url.protocol === 'wss:';
  const ca = options.ca ? fs.readFileSync(options.ca) : undefined;
  const session = http2.connect(`${secure ? 'https' : 'http'}://${url.host}`, { ca });
  session.on('error', () => {});
  const [settings] = await once(session, 'remoteSettings');
  if (!settings.enableConnectProtocol) throw new Error('extended CONNECT is not allowed');
  return session;
}

/** A tunnel: `receive()` answers messages, `{ pong }` or `{ code, reason }` in order. */
async function open(session) {
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':path': new URL(options.url).pathname,
    'sec-websocket-version': '13',
  });
  const arrived = [];
  const waiting = [];
  const put = (event) => {
    const next = waiting.shift();
    if (next) next.resolve(event);
    else arrived.push(event);
  };
  const fail = (error) => {
    for (const next of waiting.splice(0)) next.reject(error);
  };
  const decoder = new Decoder(false, {
    message: put,
    ping: (payload) => stream.write(encode(payload, { masked, opcode: OPCODES.pong })),
    pong: (payload) => put({ pong: payload.toString() }),
    close: (code, reason) => put({ code, reason }),
  });
  stream.on('data', (chunk) => {
    try {
      decoder.push(chunk);
    } catch (error) {
      fail(error);
    }
  });
  stream.on('error', fail);
  stream.on('close', () => fail(new Error('the stream ended')));
  const [headers] = await once(stream, 'response');
  if (headers[':status'] !== 200) throw new Error(`status ${headers[':status']}`);
  const receive = () => (arrived.length ? Promise.resolve(arrived.shift())
    : new Promise((resolve, reject) => waiting.push({ resolve, reject })));
  const send = (message, more) => stream.write(encode(message, { masked, ...more }));
  const close = async (code, reason) => {
    stream.write(encodeClose(code, reason, { masked }));
    const answer = await receive();
    stream.end();
    return answer;
  };
  return { stream, receive, send, close };
}

async function echoes(name, tunnel, message) {
  tunnel.send(message);
  report.equal(name, await tunnel.receive(), message);
}

async function conversation() {
  const session = await connect();
  const tunnel = await open(session);
  for (const size of SIZES) {
    await echoes(`binary of ${size} bytes`, tunnel, noise(size));
    await echoes(`text of ${size} bytes`, tunnel, 'x'.repeat(size));
  }
  await echoes('text beyond ASCII', tunnel, prose(10_000));
  tunnel.send('frag', { final: false });
  tunnel.send('between', { opcode: OPCODES.ping });
  tunnel.send('mented', { opcode: 0 });
  report.equal('pong between fragments', (await tunnel.receive()).pong, 'between');
  report.equal('text in fragments', await tunnel.receive(), 'fragmented');
  const answer = await tunnel.close(4001, 'bye, größer');
  report.check('close 4001 with a reason',
    answer.code === 4001 && ['', 'bye, größer'].includes(answer.reason), JSON.stringify(answer));
  session.close();
}

async function pipelined() {
  const session = await connect();
  const tunnel = await open(session);
  for (let number = 0; number < 10_000; number += 1) tunnel.send(String(number));
  let inOrder = true;
  for (let number = 0; number < 10_000; number += 1) {
    inOrder &&= (await tunnel.receive()) === String(number);
  }
  report.check('10000 messages in flight come back in order', inOrder);
  await tunnel.close(1000, '');
  session.close();
}

async function streams() {
  const session = await connect();
  const tunnels = await Promise.all(Array.from({ length: 10 }, () => open(session)));
  tunnels.forEach((tunnel, number) => tunnel.send(`stream ${number}`));
  for (const [number, tunnel] of tunnels.entries()) {
    report.equal(`tunnel ${number} of one connection`, await tunnel.receive(), `stream ${number}`);
  }
  tunnels[0].stream.close(http2.constants.NGHTTP2_CANCEL);
  await echoes('a neighbour after a reset', tunnels[1], 'still here');
  session.destroy();
  const next = await open(await connect());
  await echoes('a new connection after an abrupt leave', next, 'still here');
}

async function main() {
  await report.run('conversation', conversation);
  await report.run('pipelined', pipelined);
  await report.run('streams', streams);
  report.finish();
}

main();
