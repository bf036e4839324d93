/* What ray-probe can find, with the exit status of each (probe.md 5.2). A number is never used for
 * anything else; those missing here belong to verdicts of later versions. */
#pragma once

#include "base/strtab.h"

/* X(NAME, exit status) */
#define RAYCLUSTER_VERDICTS(X)                                                                     \
        X(OK, 0)                                                                                   \
        X(NAME_NOT_FOUND, 10)                                                                      \
        X(DNS_UNAVAILABLE, 11)                                                                     \
        X(NAME_IS_LOOPBACK, 12)                                                                    \
        X(LINK_DOWN, 20)                                                                           \
        X(NO_ROUTE_LOCAL, 21)                                                                      \
        X(ROUTE_FORBIDS, 22)                                                                       \
        X(LOCAL_FIREWALL, 23)                                                                      \
        X(LOCAL_RESOURCES, 24)                                                                     \
        X(WRONG_INTERFACE, 25)                                                                     \
        X(SCOPE_MISSING, 26)                                                                       \
        X(NEIGHBOUR_DEAD, 30)                                                                      \
        X(GATEWAY_DEAD, 31)                                                                        \
        X(HOST_DOWN_REMOTE, 32)                                                                    \
        X(NO_ROUTE_REMOTE, 33)                                                                     \
        X(HOST_SILENT, 34)                                                                         \
        X(REJECTED_AT_HEAD, 40)                                                                    \
        X(REJECTED_ON_PATH, 41)                                                                    \
        X(REFUSED_BY_FIREWALL, 42)                                                                 \
        X(FILTERED_SILENTLY, 43)                                                                   \
        X(HALF_OPEN_PATH, 45)                                                                      \
        X(PORT_CLOSED, 50)                                                                         \
        X(SERVICE_FROZEN, 53)                                                                      \
        X(CLOSED_AFTER_ACCEPT, 54)                                                                 \
        X(NOT_RAY, 55)                                                                             \
        X(TLS_REQUIRED, 60)                                                                        \
        X(TOKEN_REQUIRED, 66)                                                                      \
        X(TOKEN_WRONG, 67)                                                                         \
        X(WRONG_CLUSTER, 68)                                                                       \
        X(VERSION_MISMATCH, 69)                                                                    \
        X(INCONCLUSIVE, 90)

#define RAYCLUSTER_VERDICT_ENUM(name, code) VERDICT_##name = (code),
typedef enum Verdict {
        RAYCLUSTER_VERDICTS(RAYCLUSTER_VERDICT_ENUM) _VERDICT_INVALID = -EINVAL
} Verdict;

/* "PORT_CLOSED"; NULL for a number that is none. */
const char *verdict_to_string(Verdict v);
Verdict verdict_from_string(const char *s);
