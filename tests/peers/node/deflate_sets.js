'use strict';
// The parameter sets of permessage-deflate (RFC 7692) that peers try, as options of npm's `ws`.

const WINDOWS = [9, 10, 11, 12, 13, 14, 15];

/** Every choice of takeover and a choice of windows, each with a `name`. */
function sets() {
  const pairs = [[undefined, undefined]];
  for (const bits of WINDOWS) pairs.push([bits, bits], [bits, undefined], [undefined, bits]);
  const all = [];
  for (const server of [false, true]) {
    for (const client of [false, true]) {
      for (const [serverBits, clientBits] of pairs) all.push(set(server, client, serverBits, clientBits));
    }
  }
  return all;
}

function set(server, client, serverBits, clientBits) {
  const options = { threshold: 0 };
  const words = [];
  if (server) {
    options.serverNoContextTakeover = true;
    words.push('server_no_context_takeover');
  }
  if (client) {
    options.clientNoContextTakeover = true;
    words.push('client_no_context_takeover');
  }
  if (serverBits) {
    options.serverMaxWindowBits = serverBits;
    words.push(`server_max_window_bits=${serverBits}`);
  }
  if (clientBits) {
    options.clientMaxWindowBits = clientBits;
    words.push(`client_max_window_bits=${clientBits}`);
  }
  return { name: words.join('; ') || 'no parameters', options };
}

module.exports = { sets };
