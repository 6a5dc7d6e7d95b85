'use strict';
// The frames of RFC 6455 in a stream of bytes, as far as an honest peer needs them.

const crypto = require('node:crypto');

const OPCODES = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

function mask(payload, key) {
  const out = Buffer.allocUnsafe(payload.length);
  for (let index = 0; index < payload.length; index += 1) out[index] = payload[index] ^ key[index & 3];
  return out;
}

/** One frame; `masked` for a client. A string is text unless an opcode is given. */
function encode(message, { masked, opcode, final = true }) {
  const payload = Buffer.isBuffer(message) ? message : Buffer.from(message);
  const code = opcode ?? (Buffer.isBuffer(message) ? OPCODES.binary : OPCODES.text);
  const length = payload.length;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65536 ? 4 : 10);
  head[0] = (final ? 0x80 : 0) | code;
  head[1] = head.length === 2 ? length : head.length === 4 ? 126 : 127;
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
  if (!masked) return Buffer.concat([head, payload]);
  head[1] |= 0x80;
  const key = crypto.randomBytes(4);
  return Buffer.concat([head, key, mask(payload, key)]);
}

function encodeClose(code, reason, options) {
  const body = Buffer.alloc(2 + Buffer.byteLength(reason));
  body.writeUInt16BE(code);
  body.write(reason, 2);
  return encode(body, { ...options, opcode: OPCODES.close });
}

/** Collects bytes and calls back: message(string | Buffer), ping, pong(Buffer), close(code, reason). */
class Decoder {
  constructor(masked, callbacks) {
    this.masked = masked;
    this.callbacks = callbacks;
    this.chunks = [];
    this.length = 0;
    this.needed = 2;
    this.parts = [];
    this.opcode = 0;
  }

  push(chunk) {
    this.chunks.push(chunk);
    this.length += chunk.length;
    while (this.length >= this.needed && this.step());
  }

  /** Takes one whole frame; false when more bytes are needed. */
  step() {
    const bytes = this.chunks.length === 1 ? this.chunks[0] : Buffer.concat(this.chunks);
    this.chunks = [bytes];
    const small = bytes[1] & 0x7f;
    const extended = small < 126 ? 0 : small === 126 ? 2 : 8;
    const head = 2 + extended + (this.masked ? 4 : 0);
    if (!this.has(head)) return false;
    if (Boolean(bytes[1] & 0x80) !== this.masked) throw new Error('the mask bit is wrong');
    let length = small;
    if (extended === 2) length = bytes.readUInt16BE(2);
    if (extended === 8) length = Number(bytes.readBigUInt64BE(2));
    if (!this.has(head + length)) return false;
    let payload = bytes.subarray(head, head + length);
    if (this.masked) payload = mask(payload, bytes.subarray(head - 4, head));
    const rest = bytes.subarray(head + length);
    this.chunks = rest.length ? [rest] : [];
    this.length = rest.length;
    this.needed = 2;
    this.frame(bytes[0], payload);
    return true;
  }

  has(bytes) {
    this.needed = bytes;
    return this.length >= bytes;
  }

  frame(first, payload) {
    if (first & 0x70) throw new Error('reserved bits without an extension');
    const opcode = first & 0x0f;
    if (opcode === OPCODES.close) {
      const code = payload.length ? payload.readUInt16BE(0) : 1005;
      this.callbacks.close(code, payload.subarray(2).toString());
    } else if (opcode === OPCODES.ping) {
      this.callbacks.ping(payload);
    } else if (opcode === OPCODES.pong) {
      this.callbacks.pong(payload);
    } else {
      if (opcode) this.opcode = opcode;
      this.parts.push(payload);
      if (first & 0x80) {
        const whole = Buffer.concat(this.parts);
        this.parts = [];
        this.callbacks.message(this.opcode === OPCODES.text ? whole.toString() : whole);
      }
    }
  }
}

module.exports = { Decoder, OPCODES, encode, encodeClose };
