#include "member/ray-authority.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/str.h"
#include "member/authority.h"
#include "sys/mac.h"

#define FILE_NAME "ray-authority.pem"

struct RayAuthority {
        usec_t life; /* of certificates */
        Identity ca;
        PkiNames names; /* of the CA */
};

RayAuthority *ray_authority_free(RayAuthority *a)
{
        if (!a)
                return NULL;
        identity_done(&a->ca);
        free(a);
        return NULL;
}

static int open_file(RayAuthority *a, const char *path, usec_t now)
{
        int r = identity_load(path, &a->ca);
        if (r == -ENOENT)
                /* in its name it is another cluster: what looks at names alone is not fooled
                 * either */
                r = authority_make("ray-", path, now, &a->ca);
        if (r >= 0)
                r = pki_cert_names(a->ca.cert, &a->names);
        return r >= 0 && a->names.role != PKI_CA ? -EBADMSG : r;
}

int ray_authority_open(const char *state_dir, usec_t life, usec_t now, RayAuthority **ret,
                       char **reterr)
{
        _cleanup_free_ char *path = path_join(state_dir, FILE_NAME);
        _cleanup_(ray_authority_freep) RayAuthority *a = new0(RayAuthority, 1);
        if (!a || !path)
                return -ENOMEM;
        a->life = life ? life : RAY_CERT_LIFE;
        int r = open_file(a, path, now);
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                *reterr = str_printf("%s: %s; restore it from a backup (raycluster restore), or "
                                     "remove it and restart Ray on all machines: Ray's TLS has no "
                                     "authority without it",
                                     path, r == -EBADMSG ? "is damaged" : strerror(-r));
                return *reterr ? r : -ENOMEM;
        }
        *ret = TAKE_PTR(a);
        return 0;
}

const PkiCert *ray_authority_cert(const RayAuthority *a)
{
        return a->ca.cert;
}

static void add_addr(PkiNames *n, const Addr *a)
{
        for (size_t i = 0; i < n->n_addrs; i++)
                if (addr_equal(&n->addrs[i], a))
                        return;
        n->addrs[n->n_addrs++] = *a;
}

static void add_loopback(PkiNames *n)
{
        const Addr v4 = {.family = AF_INET, .in.s_addr = htonl(INADDR_LOOPBACK)};
        const Addr v6 = {.family = AF_INET6, .in6 = IN6ADDR_LOOPBACK_INIT};

        add_addr(n, &v4);
        add_addr(n, &v6);
}

/* As for a member's: tests make certificates of seconds. */
static usec_t slack(const RayAuthority *a)
{
        return MIN(CERT_SLACK, a->life / 4);
}

int ray_authority_issue(const RayAuthority *a, const PkiRequest *request, const PkiNames *names,
                        usec_t now, PkiCert **ret)
{
        PkiNames n = {.role = names->role};

        memcpy(n.node, names->node, sizeof(n.node));
        memcpy(n.name, names->name, sizeof(n.name));
        str_copy(n.cluster, sizeof(n.cluster), a->names.cluster);
        for (size_t i = 0; i < MIN(names->n_addrs, (size_t)RAY_CERT_ADDRS_MAX); i++) {
                Addr addr = names->addrs[i];
                addr.port = 0;
                addr.scope = 0;
                add_addr(&n, &addr);
        }
        add_loopback(&n);
        return pki_issue(a->ca.key, a->ca.cert, request, &n, usec_sub(now, slack(a)),
                         usec_add(now, a->life), ret);
}

int ray_authority_answer(const RayAuthority *a, const PkiCert *member, const void *csr, size_t n,
                         usec_t now, PkiCert **ret)
{
        _cleanup_(pki_request_freep) PkiRequest *request = NULL;
        uint8_t asked[PKI_PIN_SIZE], own[PKI_PIN_SIZE];
        PkiNames names;

        int r = pki_cert_names(member, &names);
        if (r >= 0)
                r = pki_request_read(csr, n, &request);
        if (r < 0)
                return r;
        pki_request_pin(request, asked);
        pki_cert_pin(member, own);
        if (mac_equal(asked, own, sizeof(own)))
                return -EKEYREJECTED;
        return ray_authority_issue(a, request, &names, now, ret);
}
