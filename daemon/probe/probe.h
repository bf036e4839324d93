/* The connection to a head, examined: the library behind ray-probe and behind the worker's reasons.
 * Unprivileged, non-blocking, its own timers (probe.md 2.2). One Probe is one examination; it ends
 * in exactly one callback, within its deadline. */
#pragma once

#include <errno.h>

#include <systemd/sd-event.h>

#include "base/addr.h"
#include "base/strv.h"
#include "base/time.h"
#include "model/identity.h"
#include "model/node.h"
#include "model/port-ranges.h"
#include "model/settings.h"
#include "model/verdict.h"
#include "probe/host.h"
#include "reflect/line.h"
#include "sys/tls-context.h"

typedef struct Probe Probe;

typedef struct ProbeRequest {
        const char *host;       /* name or literal; copied */
        uint16_t port;          /* GCS port */
        const Addr *addr;       /* already resolved: host is then only for texts; may be NULL */
        const char *note;       /* with addr: how the name came to it, for `because`; or NULL */
        const char *from;       /* interface or own address, or NULL */
        const char *token;      /* Ray's token, or NULL */
        const char *token_from; /* in words, for `because`: where it comes from; or NULL */
        const TlsContext
                *tls; /* speak TLS, with these files; must live as long; NULL = in the clear */
        const RayId *cluster;    /* that the head must belong to, or NULL */
        const Versions *engines; /* installed side by side here, newest first: one of them must be
                                    the head's; copied; none = not compared */
        size_t n_engines;
        Versions here;   /* compared with what the head runs; "" = not compared */
        usec_t deadline; /* for the whole examination; 0 = 6 s */
        int family;      /* of the name's addresses; AF_UNSPEC = both */
        bool discover;   /* of a head that serves: is it heard by mDNS, too? Up to 2 s */
        /* What the system's own resolver says of the name, beside DNS; asked once, at the end, and
         * may wait a little. NULL = not asked. */
        void (*nss)(NssFacts *ret, void *userdata);
        void *nss_userdata;

        const Transport *reflect; /* to a reflector at the head, which makes it an examination of
                                     both ways, if it reaches there; outlives the probe; NULL =
                                     there is none */
        bool reflect_optional;    /* what it does not tell is not missed: then it is an examination
                                     of one way */
        const PortPlan *plan;     /* with reflect or all: whose ports are tried; copied */
        bool all;                 /* try every port that the plan has for a head, too */
        bool thorough;            /* with reflect: have every port of the worker processes tried
                                     here, not a sample */
        bool dashboard_local;     /* with all: the dashboard is not for other machines */
        const Addr *node;         /* what Ray is told to announce of this machine, or NULL */
} ProbeRequest;

/* Causes that the facts of one report allow beside its verdict. */
#define ALTERNATIVES_MAX 4

typedef struct ProbeStep {
        char *name;   /* "name", "route", "connect", "service", "check-alive" */
        char *result; /* "10.77.0.1 via host0 from 10.77.0.2" */
        usec_t at;    /* when it began, since the examination did */
        usec_t took;
} ProbeStep;

typedef struct ProbeReport {
        Verdict verdict;
        ProbeConfidence confidence;
        ProbeDirection direction;
        ProbePlace place;
        Addr where;     /* the machine that `place` names, unset when it has no address to name */
        char *sentence; /* one sentence: what is wrong and on which machine; the worker's STATUS=
                           uses it as it is */
        char *because;  /* the facts it rests on */
        char *hint;     /* one command on a named machine, or "" */
        Verdict alternatives[ALTERNATIVES_MAX]; /* the nearest first */
        size_t n_alternatives;
        char **facts;   /* "key=value" */
        char **missing; /* "fact: what would be needed to know it" */
        ProbeStep *steps;
        size_t n_steps;
        Addr addr; /* the address that was tried, unset when no name resolved */
        uint16_t port;
        Versions head;           /* as far as known */
        const Reflection *other; /* what a reflector said; NULL when none was to be asked */
        PortSpan sampled;        /* with other: a range of which only some ports were tried */
        bool all;                /* every port was asked for: */
        const PortRange *ports;  /* of the head; NULL = not come to */
        size_t n_ports;
        PortRange *back; /* of this machine, as the head finds them; NULL = not come to */
        size_t n_back;
} ProbeReport;

/* The report belongs to the probe; valid during the callback. The probe may be freed inside it. */
typedef void (*probe_cb)(Probe *p, const ProbeReport *report, void *userdata);

int probe_new(sd_event *event, const ProbeRequest *request, probe_cb cb, void *userdata,
              Probe **ret);
Probe *probe_free(Probe *p);
/* What it is at, for people who wait: "looking up the name", and since when (monotonic). */
const char *probe_doing(const Probe *p, usec_t *ret_since);
DEFINE_CLEANUP(Probe *, probe_free);
