#include "probe-cli/help.h"

#include <stdio.h>

#include "probe-cli/args.h"
#include "wire/reflect-code.h"

void help_print(void)
{
        printf("Usage: ray-probe [OPTION...] HOST [PORT]\n"
               "       ray-probe --serve [PORT]\n"
               "\n"
               "Find out why Ray's head at HOST cannot be reached, and say what to do.\n"
               "PORT is the port of the GCS, %d when not given.\n"
               "\n"
               "The way there:\n"
               "  --from IF|ADDR     go out by this interface or own address\n"
               "  -4, -6             by IPv4, by IPv6 only\n"
               "  --deadline TIME    end within this time (6s)\n"
               "  --discover         look whether the head is heard by mDNS, too\n"
               "\n"
               "Who we are to the cluster:\n"
               "  --token-file FILE  Ray's token, where the cluster asks for one\n"
               "  --cluster-id HEX   the cluster that the head must belong to\n"
               "  --tls              speak TLS, as with RAY_USE_TLS=1\n"
               "  --tls-ca FILE      who is trusted; else RAY_TLS_CA_CERT\n"
               "  --tls-cert FILE    our certificate; else RAY_TLS_SERVER_CERT\n"
               "  --tls-key FILE     its key; else RAY_TLS_SERVER_KEY\n"
               "\n"
               "The other side:\n"
               "  --code CODE        also ask the head, where --serve printed CODE, what it\n"
               "                     sees, and whether it gets back to this machine\n"
               "  --serve            on the head: print a code, and answer who knows it\n"
               "                     for ten minutes (on port %d)\n"
               "\n"
               "What is shown:\n"
               "  --json             report as JSON\n"
               "  --verbose          add the steps with their times, and all facts\n"
               "  --watch            look again until it is OK, and tell every change\n"
               "\n"
               "  --help             show this text\n"
               "  --version          show the version\n"
               "\n"
               "The exit status is the verdict's number, 0 when all is well; see ray-probe(1).\n",
               PROBE_PORT_DEFAULT, REFLECT_PORT_DEFAULT);
}
