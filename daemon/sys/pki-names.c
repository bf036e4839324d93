#include "sys/pki-names.h"

#include <ctype.h>
#include <stdio.h>

#include "sys/pki-private.h"

#define SCHEME  "spiffe://"
#define URI_MAX (sizeof(SCHEME) + PKI_CLUSTER_MAX + sizeof("worker/") + PKI_NODE_MAX)

DEFINE_CLEANUP(GENERAL_NAME *, GENERAL_NAME_free);
DEFINE_CLEANUP(ASN1_STRING *, ASN1_STRING_free);

static const char *const pki_role_table[_PKI_ROLE_MAX] = {
        [PKI_CA] = "ca",
        [PKI_HEAD] = "head",
        [PKI_WORKER] = "worker",
};
DEFINE_STRTAB(pki_role, PkiRole);

static_assert(PKI_CLUSTER_MAX == PKI_NODE_MAX, "one rule for both");

bool pki_label_is_valid(const char *s)
{
        size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");
        return n > 0 && n < PKI_CLUSTER_MAX && !s[n];
}

bool pki_host_name_is_valid(const char *s)
{
        const char *p = s;

        while (isascii(*p) && (isalnum((unsigned char)*p) || (*p && strchr("._-", *p))))
                p++;
        return p > s && !*p;
}

int pki_set_common_name(X509_NAME *n, const char *name)
{
        int size = (int)strnlen(name, PKI_NAME_MAX - 1);

        if (X509_NAME_add_entry_by_NID(n, NID_commonName, V_ASN1_UTF8STRING,
                                       (const unsigned char *)name, size, -1, 0) != 1)
                return pki_error(-EIO);
        return 0;
}

/* --- to a certificate ----------------------------------------------------------------------------
 */

/* Array fields may lack their end when somebody filled them carelessly. */
#define IS_ENDED(array) (memchr((array), 0, sizeof(array)) != NULL)

bool pki_names_are_valid(const PkiNames *n)
{
        if (!IS_ENDED(n->cluster) || !IS_ENDED(n->node) || !IS_ENDED(n->name) ||
            n->n_addrs > PKI_ADDRS_MAX || !pki_label_is_valid(n->cluster))
                return false;
        for (size_t i = 0; i < n->n_addrs; i++)
                if (!addr_is_set(&n->addrs[i]))
                        return false;
        if (n->role == PKI_CA)
                return !n->node[0] && n->n_addrs == 0;
        return pki_role_to_string(n->role) && pki_label_is_valid(n->node) &&
               pki_host_name_is_valid(n->name);
}

static int push(GENERAL_NAMES *all, int type, int string_type, const void *data, size_t n)
{
        _cleanup_(ASN1_STRING_freep) ASN1_STRING *s = ASN1_STRING_type_new(string_type);
        _cleanup_(GENERAL_NAME_freep) GENERAL_NAME *g = GENERAL_NAME_new();

        if (!s || !g || ASN1_STRING_set(s, data, (int)n) != 1)
                return -ENOMEM;
        GENERAL_NAME_set0_value(g, type, TAKE_PTR(s));
        if (sk_GENERAL_NAME_push(all, g) <= 0)
                return -ENOMEM;
        g = NULL; /* all's */
        return 0;
}

int pki_names_encode(const PkiNames *n, GENERAL_NAMES **ret)
{
        _cleanup_(GENERAL_NAMES_freep) GENERAL_NAMES *all = NULL;
        char uri[URI_MAX];

        all = GENERAL_NAMES_new();
        if (!all)
                return -ENOMEM;
        (void)snprintf(uri, sizeof(uri), SCHEME "%s", n->cluster);
        if (n->role != PKI_CA)
                (void)snprintf(uri, sizeof(uri), SCHEME "%s/%s/%s", n->cluster,
                               pki_role_to_string(n->role), n->node);
        int r = push(all, GEN_URI, V_ASN1_IA5STRING, uri, strlen(uri));
        for (size_t i = 0; r >= 0 && i < n->n_addrs; i++) {
                const Addr *a = &n->addrs[i];
                r = push(all, GEN_IPADD, V_ASN1_OCTET_STRING, &a->in,
                         a->family == AF_INET ? sizeof(a->in) : sizeof(a->in6));
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(all);
        return 0;
}

/* --- from a certificate --------------------------------------------------------------------------
 */

static int read_uri(const ASN1_STRING *s, PkiNames *ret)
{
        size_t n = (size_t)ASN1_STRING_length(s);
        char uri[URI_MAX];

        if (n >= sizeof(uri))
                return -EBADMSG;
        memcpy(uri, ASN1_STRING_get0_data(s), n);
        uri[n] = 0;
        if (strlen(uri) != n || !startswith(uri, SCHEME))
                return -EBADMSG;
        char *cluster = uri + strlen(SCHEME);
        char *role = strchr(cluster, '/');
        char *node = role ? strchr(role + 1, '/') : NULL;
        if (role) {
                if (!node)
                        return -EBADMSG;
                *role++ = 0;
                *node++ = 0;
                ret->role = pki_role_from_string(role);
                if (ret->role <= PKI_CA || !pki_label_is_valid(node))
                        return -EBADMSG;
                str_copy(ret->node, sizeof(ret->node), node);
        }
        if (!pki_label_is_valid(cluster))
                return -EBADMSG;
        str_copy(ret->cluster, sizeof(ret->cluster), cluster);
        return 0;
}

static int read_addr(const ASN1_STRING *s, PkiNames *ret)
{
        Addr *a = &ret->addrs[ret->n_addrs];
        int n = ASN1_STRING_length(s);

        if (ret->n_addrs == PKI_ADDRS_MAX || (n != sizeof(a->in) && n != sizeof(a->in6)))
                return -EBADMSG;
        *a = (Addr){.family = n == sizeof(a->in) ? AF_INET : AF_INET6};
        memcpy(&a->in6, ASN1_STRING_get0_data(s), (size_t)n);
        ret->n_addrs++;
        return 0;
}

/* X509-SVID 2: exactly one URI, of whatever scheme. */
static int read_alt_names(X509 *x, PkiNames *ret)
{
        _cleanup_(GENERAL_NAMES_freep) GENERAL_NAMES *all =
                X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
        int n_uris = 0, r = 0;

        if (!all)
                return pki_error(-EBADMSG);
        for (int i = 0; r >= 0 && i < sk_GENERAL_NAME_num(all); i++) {
                const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);
                if (g->type == GEN_URI)
                        r = n_uris++ ? -EBADMSG : read_uri(g->d.uniformResourceIdentifier, ret);
                else if (g->type == GEN_IPADD)
                        r = read_addr(g->d.iPAddress, ret);
        }
        return r < 0 ? r : n_uris ? 0 : -EBADMSG;
}

static int read_common_name(const X509 *x, PkiNames *ret)
{
        const X509_NAME *subject = X509_get_subject_name(x);
        int i = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

        if (i < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, i) >= 0)
                return -EBADMSG;
        const ASN1_STRING *s = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i));
        const unsigned char *p = ASN1_STRING_get0_data(s);
        size_t n = (size_t)ASN1_STRING_length(s);
        if (n == 0 || n >= sizeof(ret->name))
                return -EBADMSG;
        for (size_t k = 0; k < n; k++)
                if (p[k] < 0x20 || p[k] > 0x7e)
                        return -EBADMSG;
        memcpy(ret->name, p, n);
        return 0;
}

int pki_names_decode(X509 *x, PkiNames *ret)
{
        PkiNames n = {.role = PKI_CA};

        int r = read_alt_names(x, &n);
        if (r >= 0)
                r = read_common_name(x, &n);
        if (r < 0)
                return r;
        /* what it says it is, and what it may do */
        if ((n.role == PKI_CA) != (X509_check_ca(x) == 1))
                return -EBADMSG;
        *ret = n;
        return 0;
}
