/* A line to `ray-probe --serve`: TCP, and frames whose MAC is made with the code (session.h). */
#pragma once

#include "reflect/line.h"
#include "wire/reflect-code.h"

typedef struct CodeTransport {
        Transport base;
        ReflectCode code; /* its port is where the reflector listens */
} CodeTransport;

/* Fill `base` with it. */
extern const Transport code_transport;
