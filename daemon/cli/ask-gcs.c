#include "cli/ask-gcs.h"

#include <netdb.h>

#include "cli/engine-env.h"
#include "conf/conf.h"
#include "engine/tls.h"
#include "gcs/client.h"
#include "role/token.h"

/* Somebody waits at a prompt: what does not answer by then is as good as not there. */
#define ASK_TIMEOUT (2 * USEC_PER_SEC)
/* A name with more addresses than this is no machine. */
#define ASK_ADDRS_MAX 4

typedef struct Ask {
        sd_event *event;
        Snapshot *snapshot;
        bool alive;
        int error;
} Ask;

static void done(Ask *a, int error)
{
        a->error = error;
        (void)sd_event_exit(a->event, 0);
}

static void on_cluster(GcsClient *c, const GcsResult *result, NodeSet **nodes,
                       const GcsDemand *demand, void *userdata)
{
        Ask *a = userdata;

        if (result->status == GCS_OK) {
                a->snapshot->nodes = TAKE_PTR(*nodes);
                a->snapshot->age = 0;
                node_set_sort(a->snapshot->nodes);
        } else
                a->snapshot->nodes_text = strdup(result->text);
        done(a, 0);
}

static void on_alive(GcsClient *c, const GcsResult *result, const char *ray_version, void *userdata)
{
        Ask *a = userdata;

        /* a wrong token is an answer, too: somebody is there */
        if (result->status == GCS_TOKEN) {
                a->alive = true;
                a->snapshot->nodes_text = strdup(result->text);
        }
        if (result->status != GCS_OK) {
                done(a, 0);
                return;
        }
        a->alive = true;
        a->snapshot->gcs_ray = strdup(ray_version);
        int r = gcs_client_get_cluster(c, on_cluster, a);
        if (r < 0)
                done(a, r);
}

static void event_unrefp(sd_event **e)
{
        sd_event_unref(*e);
}

/* 1: it answered. */
static int ask_one(Snapshot *s, const Addr *addr, const char *token, const TlsFiles *tls)
{
        _cleanup_(event_unrefp) sd_event *event = NULL;
        GcsClient *c _cleanup_(gcs_client_freep) = NULL;
        char buf[ADDR_PORT_MAX];
        Ask a = {.snapshot = s};

        int r = sd_event_new(&event);
        if (r < 0)
                return r;
        a.event = event;
        r = gcs_client_new(
                event,
                &(GcsClientPolicy){
                        .addr = *addr, .token = token, .tls = tls, .timeout = ASK_TIMEOUT},
                &c);
        if (r >= 0)
                r = gcs_client_check_alive(c, on_alive, &a);
        if (r >= 0)
                r = sd_event_loop(event);
        if (r < 0 || a.error < 0)
                return r < 0 ? r : a.error;
        if (!a.alive)
                return 0;
        s->gcs = strdup(addr_format_port(buf, addr));
        return s->gcs ? 1 : -ENOMEM;
}

static size_t resolve(const char *head, uint16_t port, Addr ret[ASK_ADDRS_MAX])
{
        const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
        struct addrinfo *list = NULL;
        size_t n = 0;

        if (getaddrinfo(*head ? head : "127.0.0.1", NULL, &hints, &list) != 0)
                return 0;
        for (const struct addrinfo *i = list; i && n < ASK_ADDRS_MAX; i = i->ai_next)
                if (addr_from_sockaddr(i->ai_addr, i->ai_addrlen, &ret[n]) == 0)
                        ret[n++].port = port;
        freeaddrinfo(list);
        return n;
}

int ask_gcs_of(Snapshot *s, const Settings *settings)
{
        _cleanup_free_ char *token = NULL;
        _cleanup_engine_tls_ EngineTls tls = {0};
        Addr addrs[ASK_ADDRS_MAX];

        if (engine_tls_found(settings, &tls) < 0)
                return -ENOMEM;
        (void)token_load(settings, ROLE_WORKER,
                         &token); /* without it the GCS says that it wants one */
        size_t n = resolve(settings->disco.head, settings->ports.gcs, addrs);
        for (size_t i = 0; i < n; i++) {
                int r = ask_one(s, &addrs[i], token, engine_tls_files(&tls));
                if (r == -ENOMEM)
                        return r;
                if (r > 0)
                        break;
        }
        return 0;
}

int ask_gcs(Snapshot *s)
{
        Conf *conf _cleanup_(conf_freep) = engine_env_conf(NULL);

        return conf ? ask_gcs_of(s, conf->settings) : -ENOMEM;
}
