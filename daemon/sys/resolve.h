/* DNS without blocking (c-ares on sd-event): host names to addresses with /etc/hosts honoured, SRV
 * and TXT records, and what the name server really said when there is no answer.
 *
 * Every query reads resolv.conf (and /etc/hosts) anew, so a changed file counts at once. Queries
 * end in exactly one callback, from the loop, never from the call that started them. */
#pragma once

#include <systemd/sd-event.h>

#include "base/addr.h"
#include "base/strtab.h"
#include "base/strv.h"
#include "base/time.h"
#include "sys/dns-srv.h"

/* What is beyond these is dropped: an answer in TCP may hold thousands of records, and nobody runs
 * that many heads. */
#define RESOLVE_ADDRS_MAX 64
#define RESOLVE_SRV_MAX   32
#define RESOLVE_TXT_MAX   64 /* strings of one TXT answer */

typedef enum ResolveResult {
        RESOLVE_OK,
        RESOLVE_NXDOMAIN,  /* the name does not exist */
        RESOLVE_NODATA,    /* it exists and has no such record */
        RESOLVE_SERVFAIL,  /* the server failed */
        RESOLVE_REFUSED,   /* the server refuses to answer us */
        RESOLVE_TIMEOUT,   /* silence */
        RESOLVE_NO_SERVER, /* nothing listens on the server's port 53, or no server is configured */
        RESOLVE_BAD_REPLY, /* not to be understood */
        RESOLVE_BAD_NAME,  /* cannot be a host name */
        RESOLVE_INTERNAL,  /* our own trouble (memory, descriptors) */
        _RESOLVE_RESULT_MAX,
        _RESOLVE_RESULT_INVALID = -EINVAL,
} ResolveResult;

/* "NXDOMAIN", "SERVFAIL", "refused", "no answer", … */
DECLARE_STRTAB(resolve_result, ResolveResult);

typedef struct ResolveAnswer {
        ResolveResult result;
        const char *name; /* what was asked */
        /* The result for people, one clause: "NXDOMAIN from DNS server 10.0.0.53", "DNS server
         * 10.0.0.53 gave no answer within 4s". "" when OK. */
        const char *text;
        bool from_hosts;   /* the addresses stand in /etc/hosts */
        const Addr *addrs; /* host queries: IPv4 first, port 0 */
        size_t n_addrs;
        const Srv *srv; /* SRV queries: in the order to be tried (RFC 2782) */
        size_t n_srv;
        char *const *txt; /* TXT queries: one string each, bytes outside text left out with it */
} ResolveAnswer;

typedef struct Resolver Resolver;
typedef struct ResolveQuery ResolveQuery;

/* The answer belongs to the query and is valid during the callback; the query is gone after it (do
 * not cancel it then). */
typedef void (*resolve_cb)(const ResolveAnswer *answer, void *userdata);

int resolver_new(sd_event *event, Resolver **ret);
/* All queries must have ended or been cancelled before. */
Resolver *resolver_free(Resolver *r);
DEFINE_CLEANUP(Resolver *, resolver_free);

/* Other servers than resolv.conf's, "127.0.0.1:5300,10.0.0.53"; NULL = resolv.conf's again. */
int resolver_set_servers(Resolver *r, const char *csv);

/* timeout: for the whole query. A literal address is answered as itself. Search domains and ndots
 * as in resolv.conf; a name in /etc/hosts is not asked on the wire. */
int resolver_host(Resolver *r, const char *name, usec_t timeout, resolve_cb cb, void *userdata,
                  ResolveQuery **ret);
/* The name as it is, no search domains. */
int resolver_srv(Resolver *r, const char *name, usec_t timeout, resolve_cb cb, void *userdata,
                 ResolveQuery **ret);
int resolver_txt(Resolver *r, const char *name, usec_t timeout, resolve_cb cb, void *userdata,
                 ResolveQuery **ret);
/* No callback will come. Takes NULL, returns NULL. */
ResolveQuery *resolve_query_cancel(ResolveQuery *q);
DEFINE_CLEANUP(ResolveQuery *, resolve_query_cancel);

/* The domains of this machine: that of its own host name (also as /etc/hosts completes it), then
 * the search list; without doubles. */
int resolver_domains(Resolver *r, char ***ret);
/* The servers that are asked, for people: "10.0.0.53, 10.0.0.54"; "" when none is configured. */
int resolver_servers(Resolver *r, char **ret);
