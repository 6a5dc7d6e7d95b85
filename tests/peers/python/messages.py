"""Messages to exchange, made from a seed so that a failure can be repeated."""

import random

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
