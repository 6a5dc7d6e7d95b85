"""Messages to exchange, made from a seed so that a failure can be repeated."""

import functools
import json
import random
import zlib

WORDS = "the quick brown fox jumps over the lazy dog — größer, naïve, 日本語, 😀".split()

# Around every boundary of the length encoding, then large.
SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20]


def prose(size, seed=1):
    """Text of about `size` bytes of UTF-8 that compresses as prose does."""
    pick = random.Random(seed)
    parts, length = [], 0
    while length < size:
        parts.append(pick.choice(WORDS))
        length += len(parts[-1].encode()) + 1
    return " ".join(parts)


def noise(size, seed=2):
    """Bytes that do not compress."""
    return random.Random(seed).randbytes(size)


def distant_repeats(size, distance, seed=3):
    """Noise that comes again `distance` bytes later: finds windows that are too small."""
    block = noise(distance, seed)
    return (block * (size // distance + 1))[:size]


def assorted(count, seed=4):
    """`count` messages, text and binary, of many sizes and kinds."""
    pick = random.Random(seed)
    for number in range(count):
        size = pick.choice([0, 1, 5, 60, 125, 126, 300, 1_000, 5_000, 20_000, 70_000])
        kind = number % 4
        if kind == 0:
            yield prose(size, number)
        elif kind == 1:
            yield noise(size, number)
        elif kind == 2:
            yield distant_repeats(size, pick.choice([200, 500, 4_100, 33_000]), number)
        else:
            yield "a" * size


def record(size, seed):
    """JSON as an interface would send it, exactly `size` characters of it."""
    pick = random.Random(seed)
    parts, length = ["["], 1
    while length < size:
        user = {"id": pick.getrandbits(40), "name": pick.choice(WORDS), "active": True}
        parts.append(json.dumps(user) + ",")
        length += len(parts[-1])
    return "".join(parts)[:size]


def compressed(size, seed):
    """Bytes that somebody has compressed before."""
    return zlib.compress(record(8 * size + 64, seed).encode())[:size]


# What a message of the mix is made of, in turn for each size.
KINDS = [
    record,
    noise,
    compressed,
    lambda size, seed: distant_repeats(size, 4_100, seed),
    lambda size, seed: distant_repeats(size, 33_000, seed),
]


def mix(count):
    """`count` messages of 0, 1, 125, 1 KiB, and one in 20 of 64 KiB, one in 200 of 1 MiB: JSON,
    noise, compressed data, and repeats that small windows miss. They come in batches to be on their
    way at once: what precedes a large one fits into the buffers of two sockets."""
    for start in range(0, count, 20):
        yield [mixed(number) for number in range(start, min(start + 20, count))]


@functools.cache
def mixed(number):
    """The message with this number in the mix; made when it is needed, and once."""
    if number % 200 == 19:
        size, turn = 1 << 20, number // 200
    elif number % 20 == 9:
        size, turn = 1 << 16, number // 20
    else:
        size, turn = [0, 1, 125, 1024][number % 4], number // 4
    return KINDS[turn % len(KINDS)](size, number)
