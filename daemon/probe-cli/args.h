/* The command line of ray-probe. */
#pragma once

#include "base/time.h"
#include "model/node.h"
#include "wire/reflect-code.h"

#define PROBE_PORT_DEFAULT 6379

typedef struct Args {
        const char *host; /* of argv */
        uint16_t port;
        const char *from; /* NULL = the kernel chooses */
        const char *token_file;
        bool tls; /* asked for; any of the files asks for it, too */
        const char *tls_ca, *tls_cert, *tls_key;
        bool has_cluster;
        RayId cluster;
        usec_t deadline;
        int family; /* -4, -6: AF_INET, AF_INET6; else AF_UNSPEC */
        bool discover;
        bool json, verbose, watch;
        bool all, thorough;
        bool has_code;
        ReflectCode code;
        bool merge;                 /* of these, and there is no host */
        const char *merge_files[2]; /* of the way to the head, and of the way back */
        bool serve;                 /* port is then the one to listen on, and there is no host */
} Args;

/* 1: go on; 0: --help or --version was done; -EINVAL: a mistake, told on stderr in one line. */
int args_parse(int argc, char *argv[], Args *ret);
