#include "member/authority.h"

#include <string.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/hex.h"
#include "base/str.h"
#include "sys/mac.h"

struct Authority {
        usec_t life; /* of certificates */
        bool is_new;
        char *dir, *node, *name; /* of the head's own node */
        Identity ca, own;
        PkiNames names; /* of the CA */
        TlsParty *party;
};

Authority *authority_free(Authority *a)
{
        if (!a)
                return NULL;
        tls_party_unref(a->party);
        identity_done(&a->own);
        identity_done(&a->ca);
        free(a->dir);
        free(a->node);
        free(a->name);
        free(a);
        return NULL;
}

static int complain(char **reterr, int r, const char *path, const char *what, const char *remedy)
{
        if (r == -ENOMEM)
                return r;
        *reterr = str_printf("%s: %s; %s", path, what, remedy);
        return *reterr ? r : -ENOMEM;
}

/* --- the CA -------------------------------------------------------------------------------------
 */

int authority_make(const char *prefix, const char *path, usec_t now, Identity *ret)
{
        _cleanup_identity_ Identity ca = {0};
        uint8_t id[16];

        int r = random_bytes(id, sizeof(id));
        if (r < 0)
                return r;
        _cleanup_free_ char *hex = hex_encode(id, sizeof(id));
        _cleanup_free_ char *cluster = hex ? str_printf("%s%s", prefix, hex) : NULL;
        if (!cluster)
                return -ENOMEM;
        r = pki_key_new(&ca.key);
        if (r >= 0)
                r = pki_ca_new(ca.key, cluster, usec_sub(now, CERT_SLACK),
                               usec_add(now, AUTHORITY_LIFE), &ca.cert);
        if (r >= 0)
                r = identity_save(path, &ca);
        if (r < 0)
                return r;
        *ret = ca;
        ca = (Identity){0};
        return 0;
}

/* A stranger to all members, who would not come back to it. */
static int refuse_new(const char *path, size_t n_members, char **reterr)
{
        _cleanup_free_ char *what =
                str_printf("is not there, and members.db beside it has %zu member%s of it",
                           n_members, n_members == 1 ? "" : "s");

        return what ? complain(reterr, -ENOKEY, path, what,
                               "restore it from a backup (raycluster restore), or, to begin a new "
                               "cluster, remove members.db, too")
                    : -ENOMEM;
}

static int open_ca(Authority *a, const AuthorityPolicy *p, usec_t now, char **reterr)
{
        _cleanup_free_ char *path = path_join(p->dir, AUTHORITY_FILE);
        if (!path)
                return -ENOMEM;
        int r = identity_load(path, &a->ca);
        if (r == -ENOENT && p->n_members > 0)
                return refuse_new(path, p->n_members, reterr);
        if (r == -ENOENT) {
                r = authority_make("", path, now, &a->ca);
                a->is_new = r >= 0;
                if (r < 0)
                        return complain(reterr, r, path, strerror(-r),
                                        "the cluster's authority cannot be made without it");
        }
        if (r < 0)
                return complain(reterr, r, path, r == -EBADMSG ? "is damaged" : strerror(-r),
                                "restore it from a backup (raycluster restore): members know its "
                                "key, and no other");
        r = pki_cert_names(a->ca.cert, &a->names);
        if (r >= 0 && a->names.role != PKI_CA)
                r = -EBADMSG;
        return r < 0 ? complain(reterr, r, path, "is no authority's", "restore it from a backup")
                     : 0;
}

/* --- the head's own node ------------------------------------------------------------------------
 */

static bool has_addr(const PkiNames *n, const Addr *addr)
{
        for (size_t i = 0; i < n->n_addrs; i++)
                if (addr_equal(&n->addrs[i], addr))
                        return true;
        return false;
}

/* In any order: that in which the kernel lists them means nothing. */
static bool same_addrs(const PkiNames *n, const Addr *addrs, size_t n_addrs)
{
        size_t count = MIN(n_addrs, (size_t)PKI_ADDRS_MAX);

        if (n->n_addrs != count)
                return false;
        for (size_t i = 0; i < count; i++)
                if (!has_addr(n, &addrs[i]))
                        return false;
        return true;
}

/* Ours, of this authority, not too old, and for what we are called. */
static bool is_current(const Authority *a, const Addr *addrs, size_t n_addrs, usec_t now)
{
        usec_t from, until;
        PkiDefect defect;
        PkiNames n;

        if (!a->own.cert || pki_cert_verify(a->own.cert, &a->ca.cert, 1, now, &defect) < 0 ||
            defect != PKI_DEFECT_NONE || pki_cert_names(a->own.cert, &n) < 0)
                return false;
        pki_cert_dates(a->own.cert, &from, &until);
        return n.role == PKI_HEAD && streq(n.node, a->node) && streq(n.name, a->name) &&
               same_addrs(&n, addrs, n_addrs) &&
               usec_sub(now, from) < usec_sub(until, from) / 3 * 2;
}

static void own_names(const Authority *a, const Addr *addrs, size_t n_addrs, PkiNames *ret)
{
        *ret = (PkiNames){.role = PKI_HEAD, .n_addrs = MIN(n_addrs, (size_t)PKI_ADDRS_MAX)};
        str_copy(ret->cluster, sizeof(ret->cluster), a->names.cluster);
        str_copy(ret->node, sizeof(ret->node), a->node);
        str_copy(ret->name, sizeof(ret->name), a->name);
        for (size_t i = 0; i < ret->n_addrs; i++) {
                ret->addrs[i] = addrs[i];
                ret->addrs[i].port = 0;
        }
}

/* Above our own certificate is the authority that we have now, whatever the file says. */
static int set_ca(Authority *a)
{
        _cleanup_buf_ Buf der = {0};

        while (a->own.n_cas > 0)
                pki_cert_free(a->own.cas[--a->own.n_cas]);
        int r = pki_cert_to_der(a->ca.cert, &der);
        if (r >= 0)
                r = pki_cert_from_der(buf_data(&der), buf_size(&der), &a->own.cas[0]);
        a->own.n_cas = r >= 0;
        return r;
}

/* So much before it is made. */
static usec_t slack(const Authority *a)
{
        return MIN(CERT_SLACK, a->life / 4);
}

/* The key stays when it can: members may have it pinned some day. What is shown changes when all is
 * on the disk. */
static int make_own(Authority *a, const Addr *addrs, size_t n_addrs, const char *path, usec_t now)
{
        _cleanup_(tls_party_unrefp) TlsParty *party = NULL;
        _cleanup_(pki_cert_freep) PkiCert *cert = NULL;
        PkiNames names;

        own_names(a, addrs, n_addrs, &names);
        int r = a->own.key ? 0 : pki_key_new(&a->own.key);
        if (r >= 0)
                r = pki_issue_key(a->ca.key, a->ca.cert, a->own.key, &names,
                                  usec_sub(now, slack(a)), usec_add(now, a->life), &cert);
        if (r < 0)
                return r;
        Identity own = a->own; /* all but the certificate is its */
        own.cert = cert;
        r = identity_party(&own, &party);
        if (r >= 0)
                r = identity_save(path, &own);
        if (r < 0)
                return r;
        pki_cert_free(a->own.cert);
        a->own.cert = TAKE_PTR(cert);
        tls_party_unref(a->party);
        a->party = TAKE_PTR(party);
        return 0;
}

static int renew_own(Authority *a, const Addr *addrs, size_t n_addrs, usec_t now, char **reterr)
{
        _cleanup_free_ char *path = path_join(a->dir, IDENTITY_FILE);

        if (!path)
                return -ENOMEM;
        int r = make_own(a, addrs, n_addrs, path, now);
        return r < 0 ? complain(reterr, r, path, strerror(-r),
                                "the head has no certificate to show without it")
                     : 0;
}

static int open_own(Authority *a, const AuthorityPolicy *p, usec_t now, char **reterr)
{
        _cleanup_free_ char *path = path_join(p->dir, IDENTITY_FILE);
        if (!path)
                return -ENOMEM;
        /* one that is damaged, or that of a worker that this machine was, is no loss: the authority
         * makes another */
        int r = identity_load(path, &a->own);
        if (r >= 0 && !identity_is(&a->own, PKI_HEAD))
                identity_done(&a->own);
        if (r != -ENOMEM)
                r = set_ca(a);
        if (r < 0)
                return r;
        if (!is_current(a, p->addrs, p->n_addrs, now))
                return renew_own(a, p->addrs, p->n_addrs, now, reterr);
        r = identity_party(&a->own, &a->party);
        return r < 0 ? complain(reterr, r, path, strerror(-r), "TLS cannot be set up") : 0;
}

static int take_names(Authority *a, const AuthorityPolicy *p)
{
        a->dir = strdup(p->dir);
        a->node = strdup(p->node);
        a->name = strdup(p->name);
        return a->dir && a->node && a->name ? 0 : -ENOMEM;
}

int authority_open(const AuthorityPolicy *p, usec_t now, Authority **ret, char **reterr)
{
        _cleanup_(authority_freep) Authority *a = new0(Authority, 1);
        if (!a)
                return -ENOMEM;
        a->life = p->life ? p->life : CERT_LIFE;
        int r = take_names(a, p);
        if (r >= 0)
                r = open_ca(a, p, now, reterr);
        if (r >= 0)
                r = open_own(a, p, now, reterr);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(a);
        return 0;
}

int authority_renew(Authority *a, usec_t now, const Addr *addrs, size_t n_addrs, char **reterr)
{
        if (is_current(a, addrs, n_addrs, now))
                return 0;
        int r = renew_own(a, addrs, n_addrs, now, reterr);
        return r < 0 ? r : 1;
}

bool authority_is_new(const Authority *a)
{
        return a->is_new;
}

const char *authority_cluster(const Authority *a)
{
        return a->names.cluster;
}

const PkiCert *authority_cert(const Authority *a)
{
        return a->ca.cert;
}

const PkiCert *authority_own(const Authority *a)
{
        return a->own.cert;
}

TlsParty *authority_party(const Authority *a)
{
        return a->party;
}

int authority_issue(const Authority *a, const PkiRequest *request, const PkiNames *names,
                    usec_t now, PkiCert **ret)
{
        PkiNames n = *names;

        n.role = PKI_WORKER;
        str_copy(n.cluster, sizeof(n.cluster), a->names.cluster);
        return pki_issue(a->ca.key, a->ca.cert, request, &n, usec_sub(now, slack(a)),
                         usec_add(now, a->life), ret);
}
