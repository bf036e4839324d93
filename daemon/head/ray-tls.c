#include "head/ray-tls.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/backoff.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/args.h"
#include "engine/tls.h"
#include "head/cert-life.h"
#include "member/ray-certificate.h"
#include "role/address.h"

struct RayTls {
        RayTlsOps ops;
        void *userdata;
        char *state_dir, *node_id, *name;
        Addr address;
        RayAuthority *authority;
        EngineTls files;
        char *trouble; /* why there is no later certificate, or NULL */
        char *missing; /* the same, and there is none that does */
        sd_event_source *look;
        Backoff again;
};

static bool files_do(const RayTls *t)
{
        _cleanup_free_ char *why = NULL;
        return engine_tls_check(&t->files, now_real(), &why) > 0;
}

static int provide(RayTls *t, char **reterr)
{
        PkiNames own = {.role = PKI_HEAD};

        int r = t->authority ? 0
                             : ray_authority_open(t->state_dir, cert_life_of_tests(), now_real(),
                                                  &t->authority, reterr);
        /* whether the one of Ray is among those that it names, is not known before Ray is seen: a
         * new one now would restart a Ray that runs well by this one */
        if (r >= 0 && !addr_is_set(&t->address) && files_do(t))
                return 0;
        int n = r < 0 ? r : address_own(&t->address, own.addrs, RAY_CERT_ADDRS_MAX, reterr);
        if (n < 0)
                return n;
        str_copy(own.node, sizeof(own.node), t->node_id);
        str_copy(own.name, sizeof(own.name), t->name);
        own.n_addrs = (size_t)n;
        return ray_certificate_provide(t->state_dir, t->files.dir, t->authority, &own, now_real(),
                                       reterr);
}

/* In the journal once, again when what there is does no more, and once when it is over. */
static void judge(RayTls *t, int r, const char *why)
{
        const char *text = r < 0 ? strempty(isempty(why) ? strerror(-r) : why) : NULL;
        bool news = !streq_ptr(t->trouble, text);
        char *missing = text && !files_do(t) ? strdup(text) : NULL;

        if (missing && !streq_ptr(t->missing, missing))
                log_event(LOG_WARNING, MSG_BLOCKED, NULL, "blocked: %s", text);
        else if (news && text)
                log_warning("There is no later certificate for Ray's TLS: %s", text);
        else if (!text && t->missing)
                log_event(LOG_INFO, MSG_UNBLOCKED, NULL, "Ray's TLS has an authority again");
        free(t->missing);
        t->missing = missing;
        (void)free_and_strdup(&t->trouble, text);
}

static void look(RayTls *t)
{
        _cleanup_free_ char *why = NULL;
        EngineCert before = {0}, now = {0};

        (void)engine_tls_cert(&t->files, &before);
        int r = provide(t, &why);
        judge(t, r, why);
        if (r >= 0)
                backoff_reset(&t->again);
        if (r >= 0 && engine_tls_cert(&t->files, &now) >= 0 && !streq(before.serial, now.serial))
                log_info("The head has a new certificate for Ray's TLS.");
        (void)sd_event_source_set_time_relative(t->look, r < 0 ? backoff_next(&t->again)
                                                               : cert_look_every());
        (void)sd_event_source_set_enabled(t->look, SD_EVENT_ONESHOT);
}

static int on_look(sd_event_source *s, uint64_t usec, void *userdata)
{
        RayTls *t = userdata;

        look(t);
        t->ops.on_change(t, t->userdata);
        return 0;
}

static void turn_off(RayTls *t)
{
        t->authority = ray_authority_free(t->authority);
        engine_tls_done(&t->files);
        free(TAKE_PTR(t->trouble));
        free(TAKE_PTR(t->missing));
        (void)sd_event_source_set_enabled(t->look, SD_EVENT_OFF);
}

int ray_tls_configure(RayTls *t, const RayTlsPolicy *p)
{
        if (!p->on) {
                turn_off(t);
                return 0;
        }
        t->address = p->address;
        int a = free_and_strdup(&t->state_dir, p->state_dir);
        int b = free_and_strdup(&t->node_id, p->node_id);
        int c = free_and_strdup(&t->name, p->name);
        _cleanup_free_ char *dir = path_join(engine_run_dir(), ENGINE_TLS_NAME);
        if (a < 0 || b < 0 || c < 0 || !dir)
                return -ENOMEM;
        engine_tls_done(&t->files);
        int r = engine_tls_of(dir, &t->files);
        if (r < 0)
                return r;
        look(t);
        return 0;
}

const RayAuthority *ray_tls_authority(const RayTls *t)
{
        return t->authority;
}

const char *ray_tls_missing(const RayTls *t)
{
        return t->missing;
}

int ray_tls_new(sd_event *event, const RayTlsOps *ops, void *userdata, RayTls **ret)
{
        _cleanup_(ray_tls_freep) RayTls *t = new0(RayTls, 1);
        if (!t)
                return -ENOMEM;
        *t = (RayTls){.ops = *ops,
                      .userdata = userdata,
                      .again = {.base = USEC_PER_SEC, .max = USEC_PER_MIN}};
        int r = sd_event_add_time(event, &t->look, CLOCK_BOOTTIME, USEC_INFINITY, 0, on_look, t);
        if (r >= 0)
                r = sd_event_source_set_enabled(t->look, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(t);
        return 0;
}

RayTls *ray_tls_free(RayTls *t)
{
        if (!t)
                return NULL;
        sd_event_source_disable_unref(t->look);
        ray_authority_free(t->authority);
        engine_tls_done(&t->files);
        free(t->trouble);
        free(t->missing);
        free(t->state_dir);
        free(t->node_id);
        free(t->name);
        free(t);
        return NULL;
}
