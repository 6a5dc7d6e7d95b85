'use strict';
// Messages to exchange, made from a seed so that a failure can be repeated.

const zlib = require('node:zlib');

const WORDS = 'the quick brown fox jumps over the lazy dog — größer, naïve, 日本語, 😀'.split(' ');

// Around every boundary of the length encoding, then large.
const SIZES = [0, 1, 125, 126, 127, 65535, 65536, 1 << 20];

/** A small generator of pseudo-random 32-bit numbers (xorshift). */
function numbers(seed) {
  let state = (seed * 2654435761 + 1) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}

/** Text of about `size` bytes of UTF-8 that compresses as prose does. */
function prose(size, seed = 1) {
  const next = numbers(seed);
  const parts = [];
  for (let length = 0; length < size;) {
    const word = WORDS[next() % WORDS.length];
    parts.push(word);
    length += Buffer.byteLength(word) + 1;
  }
  return parts.join(' ');
}

/** Bytes that do not compress. */
function noise(size, seed = 2) {
  const next = numbers(seed);
  const bytes = Buffer.alloc(size);
  for (let index = 0; index < size; index += 1) bytes[index] = next() >>> 11;
  return bytes;
}

/** Noise that comes again `distance` bytes later: finds windows that are too small. */
function distantRepeats(size, distance, seed = 3) {
  return Buffer.alloc(size, noise(distance, seed));
}

/** `count` messages, text and binary, of many sizes and kinds. */
function assorted(count, seed = 4) {
  const next = numbers(seed);
  const sizes = [0, 1, 5, 60, 125, 126, 300, 1000, 5000, 20000, 70000];
  const distances = [200, 500, 4100, 33000];
  return Array.from({ length: count }, (_, number) => {
    const size = sizes[next() % sizes.length];
    switch (number % 4) {
      case 0: return prose(size, number);
      case 1: return noise(size, number);
      case 2: return distantRepeats(size, distances[next() % distances.length], number);
      default: return 'a'.repeat(size);
    }
  });
}

/** JSON as an interface would send it, exactly `size` characters of it. */
function record(size, seed) {
  const next = numbers(seed);
  let text = '[';
  while (text.length < size) {
    const name = WORDS[next() % 9];
    text += `${JSON.stringify({ id: next(), name, active: true })},`;
  }
  return text.slice(0, size);
}

/** Bytes that somebody has compressed before. */
function compressed(size, seed) {
  return zlib.deflateSync(record(8 * size + 64, seed)).subarray(0, size);
}

/** What a message of the mix is made of, in turn for each size. */
const KINDS = [
  record,
  noise,
  compressed,
  (size, seed) => distantRepeats(size, 4100, seed),
  (size, seed) => distantRepeats(size, 33000, seed),
];

const made = [];

/** The message with this number in the mix; made when it is needed, and once. */
function mixed(number) {
  let [size, turn] = [[0, 1, 125, 1024][number % 4], Math.floor(number / 4)];
  if (number % 20 === 9) [size, turn] = [1 << 16, Math.floor(number / 20)];
  if (number % 200 === 19) [size, turn] = [1 << 20, Math.floor(number / 200)];
  made[number] ??= KINDS[turn % KINDS.length](size, number);
  return made[number];
}

/**
 * `count` messages of 0, 1, 125, 1 KiB, and one in 20 of 64 KiB, one in 200 of 1 MiB: JSON, noise,
 * compressed data, and repeats that small windows miss. They come in batches to be on their way at
 * once.
 */
function* mix(count) {
  for (let start = 0; start < count; start += 20) {
    yield Array.from({ length: Math.min(20, count - start) }, (_, index) => mixed(start + index));
  }
}

module.exports = { SIZES, prose, noise, distantRepeats, assorted, mix };
