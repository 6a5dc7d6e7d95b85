"""The parameter sets of permessage-deflate (RFC 7692) that peers try."""

import itertools

WINDOWS = range(9, 16)


def sets():
    """(server_no_context_takeover, client_no_context_takeover, server bits, client bits)."""
    pairs = [(None, None)]
    pairs += [(bits, bits) for bits in WINDOWS]
    pairs += [(bits, None) for bits in WINDOWS]
    pairs += [(None, bits) for bits in WINDOWS]
    for server, client in itertools.product([False, True], repeat=2):
        for server_bits, client_bits in pairs:
            yield server, client, server_bits, client_bits


def name(server, client, server_bits, client_bits):
    parts = []
    if server:
        parts.append("server_no_context_takeover")
    if client:
        parts.append("client_no_context_takeover")
    if server_bits:
        parts.append(f"server_max_window_bits={server_bits}")
    if client_bits:
        parts.append(f"client_max_window_bits={client_bits}")
    return "; ".join(parts) or "no parameters"
