/* What ray-probe can find, with the exit status of each (probe.md 5.2). A number belongs to one
 * class for ever. Two verdicts of one class (46) share its number; 80 to 89 mean that the way
 * works, but badly. */
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
        X(REPLIES_LOST, 44)                                                                        \
        X(HALF_OPEN_PATH, 45)                                                                      \
        X(HEAD_RPFILTER, 46)                                                                       \
        X(HEAD_NO_RETURN_ROUTE, 46)                                                                \
        X(PORT_CLOSED, 50)                                                                         \
        X(HEAD_LOOPBACK_ONLY, 51)                                                                  \
        X(BACKLOG_FULL, 52)                                                                        \
        X(SERVICE_FROZEN, 53)                                                                      \
        X(CLOSED_AFTER_ACCEPT, 54)                                                                 \
        X(NOT_RAY, 55)                                                                             \
        X(TLS_REQUIRED, 60)                                                                        \
        X(TLS_NOT_SPOKEN, 61)                                                                      \
        X(CLIENT_CERT_REQUIRED, 62)                                                                \
        X(CERT_UNTRUSTED, 63)                                                                      \
        X(CERT_NAME, 64)                                                                           \
        X(CERT_TIME, 65)                                                                           \
        X(TOKEN_REQUIRED, 66)                                                                      \
        X(TOKEN_WRONG, 67)                                                                         \
        X(WRONG_CLUSTER, 68)                                                                       \
        X(VERSION_MISMATCH, 69)                                                                    \
        X(NAT_ONE_WAY, 70)                                                                         \
        X(NAT_NO_WAY_BACK, 71)                                                                     \
        X(NAT_FORWARDED, 72)                                                                       \
        X(HEAD_BEHIND_DNAT, 73)                                                                    \
        X(REVERSE_BLOCKED, 74)                                                                     \
        X(REVERSE_PORTS_PARTIAL, 75)                                                               \
        X(WRONG_PEER, 76)                                                                          \
        X(MTU_HOLE_OUT, 80)                                                                        \
        X(MTU_HOLE_IN, 81)                                                                         \
        X(CLOCK_SKEW, 82)                                                                          \
        X(LOSSY_OR_SLOW, 83)                                                                       \
        X(DISCOVERY_BLIND, 84)                                                                     \
        X(INCONCLUSIVE, 90)

#define RAYCLUSTER_VERDICT_ENUM(name, code) VERDICT_##name,
typedef enum Verdict {
        RAYCLUSTER_VERDICTS(RAYCLUSTER_VERDICT_ENUM) _VERDICT_MAX,
        _VERDICT_INVALID = -EINVAL
} Verdict;

DECLARE_STRTAB(verdict, Verdict); /* "PORT_CLOSED" */

/* The exit status of ray-probe, and `code` in its JSON. */
int verdict_code(Verdict v);
/* 80 to 89: Ray can work over it. */
bool verdict_is_degraded(Verdict v);

/* How sure a verdict is. */
typedef enum ProbeConfidence {
        PROBE_PROVEN,
        PROBE_LIKELY,
        PROBE_INCONCLUSIVE,
        _PROBE_CONFIDENCE_MAX,
        _PROBE_CONFIDENCE_INVALID = -EINVAL,
} ProbeConfidence;

/* Which way the trouble lies: what we send, what comes back, both, or nothing was sent at all. */
typedef enum ProbeDirection {
        PROBE_DIRECTION_OUT,
        PROBE_DIRECTION_BACK,
        PROBE_DIRECTION_BOTH,
        PROBE_DIRECTION_LOCAL,
        _PROBE_DIRECTION_MAX,
        _PROBE_DIRECTION_INVALID = -EINVAL,
} ProbeDirection;

/* On whose side the cause sits. */
typedef enum ProbePlace {
        PROBE_PLACE_UNKNOWN,
        PROBE_PLACE_HERE,   /* this machine */
        PROBE_PLACE_DNS,    /* the name service */
        PROBE_PLACE_ROUTER, /* `where` */
        PROBE_PLACE_PATH,   /* somewhere between */
        PROBE_PLACE_HEAD,   /* the machine probed */
        _PROBE_PLACE_MAX,
        _PROBE_PLACE_INVALID = -EINVAL,
} ProbePlace;

DECLARE_STRTAB(probe_confidence, ProbeConfidence);
DECLARE_STRTAB(probe_direction, ProbeDirection);
DECLARE_STRTAB(probe_place, ProbePlace);
