"""Puts a gateway of another make in front of our server and says where it listens.

usage: gateway.py NAME --plain HOST:PORT --tls HOST:PORT --trust FILE --ca FILE

Our server listens on --plain and --tls, with a certificate of the authority in --trust. The authority
of the gateway's own certificate goes to --ca. This process becomes the gateway.
"""

import argparse
import os
import shutil
import socket
import sys
import time

import certificate

CONFIGS = os.path.join(os.path.dirname(__file__), "..", "gateways")
# Where Debian has them; others say so by the variable.
APACHE_MODULES = os.environ.get("APACHE_MODULES", "/usr/lib/apache2/modules")
# How many seconds a gateway may take to start.
START = 20


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=GATEWAYS)
    for option in ("--plain", "--tls", "--trust", "--ca"):
        parser.add_argument(option, required=True)
    arguments = parser.parse_args()
    directory = os.path.join(os.path.dirname(os.path.abspath(arguments.ca)), arguments.name)
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    chain = os.path.join(directory, "chain.pem")
    shutil.move(certificate.server_chain(arguments.ca), chain)
    places = {
        "plain": arguments.plain,
        "tls": arguments.tls,
        "ca": os.path.abspath(arguments.trust),
        "chain": chain,
        "dir": directory,
        "modules": APACHE_MODULES,
        **{name: f"127.0.0.1:{port}" for name, port in free_ports("ws0", "ws1", "wss0", "wss1")},
    }
    command, fronts = GATEWAYS[arguments.name](places)
    sys.stdout.flush()
    if os.fork() == 0:
        announce([(name.rstrip("01"), places[name]) for name in fronts])
        os._exit(0)
    os.execvp(command[0], command)


def free_ports(*names):
    """A port that nobody listens on for each name."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return zip(names, ports)


def announce(fronts):
    """Prints the addresses when somebody listens on all of them."""
    deadline = time.monotonic() + START
    for _, address in fronts:
        host, port = address.split(":")
        while True:
            try:
                socket.create_connection((host, int(port))).close()
                break
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    sys.exit(f"nobody listens on {address}")
                time.sleep(0.05)
    for scheme, address in fronts:
        print(f"listening {scheme}://{address}/", flush=True)


def filled(config, places):
    """The path of a copy of a configuration with the places in it filled."""
    with open(os.path.join(CONFIGS, config), encoding="utf-8") as template:
        text = template.read()
    for name, value in places.items():
        text = text.replace("{" + name + "}", value)
    path = os.path.join(places["dir"], config)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


def haproxy(places):
    command = ["haproxy", "-db", "-f", filled("haproxy.cfg", places)]
    return command, ["ws0", "ws1", "wss0", "wss1"]


def nginx(places):
    return ["nginx", "-c", filled("nginx.conf", places)], ["ws0", "wss0"]


def apache(places):
    return ["apache2", "-X", "-f", filled("apache.conf", places)], ["ws0", "wss0"]


def nghttpx(places):
    """Speaks HTTP/2 to our server; with prior knowledge of its clients on the port without TLS."""
    command = ["nghttpx", "--conf=/dev/null", "--single-process", "--log-level=ERROR"]
    command += [f"--cacert={places['ca']}", f"--backend={{tls}};;proto=h2;tls;sni=localhost"]
    command += ["--frontend={ws0};no-tls", "--frontend={wss0}", "{chain}", "{chain}"]
    for name, value in places.items():
        value = value.replace(":", ",") if name in ("tls", "ws0", "wss0") else value
        command = [argument.replace("{" + name + "}", value) for argument in command]
    return command, ["ws0", "wss0"]


GATEWAYS = {function.__name__: function for function in (haproxy, nginx, apache, nghttpx)}

if __name__ == "__main__":
    main()
