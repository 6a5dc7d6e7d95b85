// uWebSockets as its documentation shows an echo server, for the benches. Prints its port.

#include "App.h"
#include <cstdio>

struct Nothing {};

int main() {
    uWS::App()
        .ws<Nothing>("/*", {
            .compression = uWS::DISABLED,
            .maxPayloadLength = 64 * 1024 * 1024,
            .maxBackpressure = 64 * 1024 * 1024,
            .message = [](auto *socket, std::string_view message, uWS::OpCode opcode) {
                socket->send(message, opcode);
            },
        })
        .listen("127.0.0.1", 0, [](auto *listening) {
            if (listening) {
                std::printf("%d\n", us_socket_local_port(0, (us_socket_t *) listening));
                std::fflush(stdout);
            }
        })
        .run();
}
