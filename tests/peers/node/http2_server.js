'use strict';
// Node's `http2` as echo server over HTTP/2 (RFC 8441).
//
// usage: http2_server.js [--no-setting] [--tls --ca-out FILE]
//
// Prints `listening URL`. With --no-setting it does not allow extended CONNECT: a client must
// refuse to go on. With --tls the Python script beside it makes the certificate; the environment
// variable PYTHON says by which Python.

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const http2 = require('node:http2');
const path = require('node:path');
const { once } = require('node:events');

const { parse } = require('./arguments');
const { Decoder, OPCODES, encode, encodeClose } = require('./frames');

const options = parse(['ca-out']);
const masked = false;

function echo(stream, headers) {
  if (headers[':method'] !== 'CONNECT' || headers[':protocol'] !== 'websocket') {
    stream.respond({ ':status': 501 }, { endStream: true });
    return;
  }
  stream.respond({ ':status': 200 });
  const decoder = new Decoder(true, {
    message: (message) => stream.write(encode(message, { masked })),
    ping: (payload) => stream.write(encode(payload, { masked, opcode: OPCODES.pong })),
    pong: () => {},
    close: (code, reason) => {
      const empty = code === 1005;
      stream.end(empty ? encode('', { masked, opcode: OPCODES.close })
        : encodeClose(code, reason, { masked }));
    },
  });
  stream.on('data', (chunk) => {
    try {
      decoder.push(chunk);
    } catch (error) {
      console.log(`FAIL frames ${error.message}`);
      stream.close(http2.constants.NGHTTP2_PROTOCOL_ERROR);
    }
  });
  stream.on('error', () => {});
}

/** The certificate chain with its key, as PEM. */
function certificate() {
  const script = path.join(__dirname, '..', 'python', 'certificate.py');
  const python = process.env.PYTHON || 'python3';
  const file = execFileSync(python, [script, options['ca-out']]).toString().trim();
  const pem = fs.readFileSync(file);
  fs.unlinkSync(file);
  return pem;
}

async function main() {
  const settings = { enableConnectProtocol: !options['no-setting'] };
  const secure = options.tls;
  const pem = secure ? certificate() : undefined;
  const server = secure ? http2.createSecureServer({ settings, cert: pem, key: pem })
    : http2.createServer({ settings });
  server.on('stream', echo);
  server.on('sessionError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  console.log(`listening ${secure ? 'wss' : 'ws'}://127.0.0.1:${server.address().port}/`);
}

main();
