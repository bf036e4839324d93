/* ray-probe --serve: the head's side of a two-way test, until somebody or time ends it. */
#pragma once

#include <stdint.h>

/* port: 0 = the usual one, or another that is free. An exit status, or a negative errno. */
int serve_command(uint16_t port);
