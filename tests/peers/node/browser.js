'use strict';
// Chromium, headless, as client: opens the page of an echo server and talks from inside it.
//
// usage: browser.js URL [--over h1|h2|h3] [--deflate]
//
// URL is the ws:// or wss:// address; the page is at the same place over http or https. With
// --deflate the server must have agreed to permessage-deflate. With --over h2 or h3 the carrier of
// the page and of the socket is checked too.

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const tls = require('node:tls');
const { chromium } = require('playwright-core');

const { parse } = require('./arguments');
const { Report } = require('./report');

const options = parse(['over']);
const over = options.over || 'h1';
const report = new Report(150);
const PROTOCOLS = { h1: 'http/1.1', h2: 'h2', h3: 'h3' };

function executable() {
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  const directories = (process.env.PATH || '').split(path.delimiter);
  const places = names.flatMap((name) => directories.map((place) => path.join(place, name)));
  return places.find((place) => fs.existsSync(place));
}

/** The hash of the server's public key: QUIC takes no certificate on trust but by this list. */
function publicKeyHash(url) {
  return new Promise((resolve, reject) => {
    const where = { host: url.hostname, port: url.port, rejectUnauthorized: false };
    const socket = tls.connect(where, () => {
      const key = socket.getPeerX509Certificate().publicKey;
      socket.end();
      const spki = key.export({ type: 'spki', format: 'der' });
      resolve(crypto.createHash('sha256').update(spki).digest('base64'));
    });
    socket.on('error', reject);
  });
}

async function launch(url) {
  const args = [
    '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
  ];
  if (over === 'h1') {
    // The page would bring its WebSockets along to HTTP/2.
    args.push('--disable-http2');
  }
  if (over === 'h3') {
    args.push('--enable-quic', '--enable-features=EnableWebsocketsOverHttp3',
      `--origin-to-force-quic-on=${url.hostname}:${url.port}`,
      `--ignore-certificate-errors-spki-list=${await publicKeyHash(url)}`);
  }
  return chromium.launch({ executablePath: executable(), headless: true, args });
}

/** Runs inside the page: one conversation, then a close handshake. */
async function converse(url) {
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  const arrived = [];
  let wake = () => {};
  socket.onmessage = (event) => { arrived.push(event.data); wake(); };
  const closed = new Promise((resolve) => {
    socket.onclose = (event) => {
      resolve({ code: event.code, reason: event.reason, clean: event.wasClean });
      wake();
    };
  });
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error('the socket did not open'));
  });
  const receive = async () => {
    while (!arrived.length) {
      if (socket.readyState > 1) throw new Error('closed before the echo');
      await new Promise((resolve) => { wake = resolve; });
    }
    return arrived.shift();
  };
  const same = (a, b) => a.length === b.length && a.every((byte, index) => byte === b[index]);
  const results = {};
  for (const text of ['', 'hello', 'größer, 日本語, 😀', 'x'.repeat(65536)]) {
    socket.send(text);
    results[`text of ${text.length} characters`] = (await receive()) === text;
  }
  for (const size of [0, 1, 125, 126, 65535, 65536, 1 << 20]) {
    const bytes = Uint8Array.from({ length: size }, (_, index) => (index * 31 + (index >> 8)) & 255);
    socket.send(bytes);
    results[`binary of ${size} bytes`] = same(new Uint8Array(await receive()), bytes);
  }
  const text = 'the quick brown fox '.repeat(52429).slice(0, 1 << 20);
  socket.send(text);
  results['text of 1 MiB'] = (await receive()) === text;
  for (let number = 0; number < 1000; number += 1) socket.send(String(number));
  let inOrder = true;
  for (let number = 0; number < 1000; number += 1) inOrder &&= (await receive()) === String(number);
  results['1000 messages in flight come back in order'] = inOrder;
  socket.close(4001, 'bye, größer');
  return { results, extensions: socket.extensions, closed: await closed };
}

async function main() {
  const url = new URL(options.url);
  const page = new URL(options.url);
  page.protocol = url.protocol === 'wss:' ? 'https:' : 'http:';
  const browser = await launch(url);
  try {
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const tab = await context.newPage();
    const network = await context.newCDPSession(tab);
    let status;
    network.on('Network.webSocketHandshakeResponseReceived', (event) => {
      status = event.response.status;
    });
    await network.send('Network.enable');
    const answer = await tab.goto(page.href, { timeout: 30_000 });
    report.check(`page over ${page.protocol.slice(0, -1)}`, answer.ok(), `status ${answer.status()}`);
    const carrier = await tab.evaluate(
      () => performance.getEntriesByType('navigation')[0].nextHopProtocol,
    );
    report.equal('carrier of the page', carrier, PROTOCOLS[over]);
    await report.run('conversation in the page', async () => {
      const { results, extensions, closed } = await tab.evaluate(converse, options.url);
      for (const [name, passed] of Object.entries(results)) report.check(name, passed, 'changed');
      report.check('close 4001 with a reason', closed.clean && closed.code === 4001,
        JSON.stringify(closed));
      if (options.deflate) {
        report.check('permessage-deflate agreed', extensions.includes('permessage-deflate'),
          `extensions: ${JSON.stringify(extensions)}`);
      }
      report.equal('status of the handshake', status, over === 'h1' ? 101 : 200);
    }, 120);
  } finally {
    await browser.close();
  }
}

report.run('browser', main, 145).then(() => report.finish());
