#include "member/ray-certificate.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "member/identity.h"
#include "sys/mac.h"

#define FILE_NAME "ray-tls.pem"

static char *path_of(const char *state_dir)
{
        return path_join(state_dir, FILE_NAME);
}

static int complain(char **reterr, int r, const char *what)
{
        if (r == -ENOMEM)
                return r;
        *reterr = str_printf("Ray's certificate: %s: %s", what, strerror(-r));
        return *reterr ? r : -ENOMEM;
}

/* --- where Ray reads ----------------------------------------------------------------------------
 */

/* By the mask: a chmod of somebody who is not in the group would take the set-group-id bit away,
 * and with it Ray's right to read. */
static int make_dir(const char *dir)
{
        mode_t before = umask(0027);
        int r = mkdir(dir, 0750) < 0 && errno != EEXIST ? -errno : 0;

        (void)umask(before);
        return r;
}

static int write_pem(const char *dir, const char *name, const Buf *pem)
{
        _cleanup_free_ char *path = path_join(dir, name);

        return path ? write_file_atomic(path, buf_data(pem), buf_size(pem), 0640, (gid_t)-1)
                    : -ENOMEM;
}

/* The certificate last: it is what makes the others of use. */
static int offer(const Identity *i, const char *dir)
{
        _cleanup_buf_ Buf ca = {0}, cert = {0}, key = {0};

        int r = make_dir(dir);
        for (size_t k = 0; r >= 0 && k < i->n_cas; k++)
                r = pki_cert_to_pem(i->cas[k], &ca);
        if (r >= 0)
                r = pki_cert_to_pem(i->cert, &cert);
        if (r >= 0)
                r = pki_key_to_pem(i->key, &key);
        if (r >= 0)
                r = write_pem(dir, "ca.pem", &ca);
        if (r >= 0)
                r = write_pem(dir, "key.pem", &key);
        if (r >= 0)
                r = write_pem(dir, "cert.pem", &cert);
        if (key.data)
                mac_forget(key.data, key.cap);
        return r;
}

int ray_certificate_restore(const char *state_dir, const char *dir)
{
        _cleanup_free_ char *path = path_of(state_dir);
        _cleanup_identity_ Identity i = {0};

        int r = path ? identity_load(path, &i) : -ENOMEM;
        return r < 0 ? r : offer(&i, dir);
}

/* --- when ---------------------------------------------------------------------------------------
 */

static bool has_addr(const PkiNames *n, const Addr *a)
{
        for (size_t i = 0; i < n->n_addrs; i++) {
                Addr bare = *a;
                bare.port = 0;
                bare.scope = 0;
                if (addr_equal(&n->addrs[i], &bare))
                        return true;
        }
        return false;
}

static bool is_for(const PkiCert *cert, const Addr *addrs, size_t n_addrs)
{
        PkiNames n;

        if (pki_cert_names(cert, &n) < 0)
                return false;
        for (size_t i = 0; i < MIN(n_addrs, (size_t)RAY_CERT_ADDRS_MAX); i++)
                if (!has_addr(&n, &addrs[i]))
                        return false;
        return true;
}

usec_t ray_certificate_renew_at(const char *state_dir, const Addr *addrs, size_t n_addrs,
                                usec_t now)
{
        _cleanup_free_ char *path = path_of(state_dir);
        _cleanup_identity_ Identity i = {0};
        PkiDefect defect;
        usec_t from, until;

        if (!path || identity_load(path, &i) < 0 ||
            pki_cert_verify(i.cert, i.cas, i.n_cas, now, &defect) < 0 ||
            defect != PKI_DEFECT_NONE || !is_for(i.cert, addrs, n_addrs))
                return 0;
        pki_cert_dates(i.cert, &from, &until);
        usec_t at = from + usec_sub(until, from) / 3 * 2;
        return at <= now ? 0 : at;
}

/* --- asking and taking --------------------------------------------------------------------------
 */

int ray_certificate_request(const char *state_dir, const char *name, Buf *ret_csr)
{
        _cleanup_free_ char *path = path_of(state_dir);
        _cleanup_(pki_key_freep) PkiKey *key = NULL;

        int r = path ? identity_key(path, &key) : -ENOMEM;
        return r < 0 ? r : pki_request_new(key, name, ret_csr);
}

static int read_answer(const char *path, const MemberIssued *m, Identity *ret)
{
        int r = identity_key(path, &ret->key);
        if (r >= 0)
                r = pki_cert_from_der(m->cert.data, m->cert.size, &ret->cert);
        for (size_t i = 0; r >= 0 && i < MIN(m->n_cas, ELEMENTSOF(ret->cas)); i++) {
                r = pki_cert_from_der(m->cas[i].data, m->cas[i].size, &ret->cas[i]);
                ret->n_cas += r >= 0;
        }
        return r;
}

static const char *judge(const Identity *i, usec_t now)
{
        uint8_t of_key[PKI_PIN_SIZE], of_cert[PKI_PIN_SIZE];
        PkiDefect defect;

        pki_key_pin(i->key, of_key);
        pki_cert_pin(i->cert, of_cert);
        if (memcmp(of_key, of_cert, sizeof(of_key)) != 0)
                return "it is for another key";
        if (pki_cert_verify(i->cert, i->cas, i->n_cas, now, &defect) < 0)
                return "it cannot be examined";
        return defect == PKI_DEFECT_NONE            ? NULL
               : defect == PKI_DEFECT_NOT_YET_VALID ? "it is not valid yet by the clock here"
               : defect == PKI_DEFECT_EXPIRED       ? "it is over by the clock here"
                                                    : "the authority beside it did not issue it";
}

static int keep(const char *path, const char *dir, const Identity *i, char **reterr)
{
        int r = identity_save(path, i);
        if (r < 0)
                return complain(reterr, r, path);
        r = offer(i, dir);
        return r < 0 ? complain(reterr, r, dir) : 0;
}

int ray_certificate_take(const char *state_dir, const char *dir, const MemberIssued *m, usec_t now,
                         char **reterr)
{
        _cleanup_free_ char *path = path_of(state_dir);
        _cleanup_identity_ Identity i = {0};

        if (!path)
                return -ENOMEM;
        int r = read_answer(path, m, &i);
        if (r < 0)
                return complain(reterr, r, "the head's answer cannot be read");
        const char *wrong = judge(&i, now);
        if (wrong)
                return complain(reterr, -EKEYREJECTED, wrong);
        return keep(path, dir, &i, reterr);
}

bool ray_certificate_is_of(const char *state_dir, const MemberIssued *m)
{
        _cleanup_free_ char *path = path_of(state_dir);
        _cleanup_identity_ Identity i = {0};
        bool is = false;

        if (!path || identity_load(path, &i) < 0)
                return false;
        for (size_t k = 0; !is && k < m->n_cas; k++) {
                _cleanup_(pki_cert_freep) PkiCert *ca = NULL;
                is = pki_cert_from_der(m->cas[k].data, m->cas[k].size, &ca) >= 0 &&
                     pki_cert_is_signed_by(i.cert, ca);
        }
        return is;
}

void ray_certificate_forget(const char *state_dir)
{
        _cleanup_free_ char *path = path_of(state_dir);
        _cleanup_free_ char *key = path ? str_printf("%s.key", path) : NULL;

        if (!key)
                return;
        (void)unlink(path);
        (void)unlink(key);
}

/* --- the head's own -----------------------------------------------------------------------------
 */

static int issue_own(const char *path, const RayAuthority *a, const PkiNames *own, usec_t now,
                     Identity *ret)
{
        _cleanup_(pki_request_freep) PkiRequest *request = NULL;
        _cleanup_buf_ Buf csr = {0}, ca = {0};

        int r = identity_key(path, &ret->key);
        if (r >= 0)
                r = pki_request_new(ret->key, own->name, &csr);
        if (r >= 0)
                r = pki_request_read(buf_data(&csr), buf_size(&csr), &request);
        if (r >= 0)
                r = ray_authority_issue(a, request, own, now, &ret->cert);
        if (r >= 0)
                r = pki_cert_to_der(ray_authority_cert(a), &ca);
        if (r >= 0)
                r = pki_cert_from_der(buf_data(&ca), buf_size(&ca), &ret->cas[0]);
        ret->n_cas = r >= 0;
        return r;
}

/* Of this authority, and not of one that was removed since. */
static bool is_of(const char *path, const RayAuthority *a)
{
        _cleanup_identity_ Identity i = {0};

        return identity_load(path, &i) >= 0 && pki_cert_is_signed_by(i.cert, ray_authority_cert(a));
}

int ray_certificate_provide(const char *state_dir, const char *dir, const RayAuthority *a,
                            const PkiNames *own, usec_t now, char **reterr)
{
        _cleanup_free_ char *path = path_of(state_dir);
        _cleanup_identity_ Identity i = {0};

        if (!path)
                return -ENOMEM;
        if (ray_certificate_renew_at(state_dir, own->addrs, own->n_addrs, now) > 0 &&
            is_of(path, a)) {
                int r = ray_certificate_restore(state_dir, dir);
                return r < 0 ? complain(reterr, r, dir) : 0;
        }
        int r = issue_own(path, a, own, now, &i);
        return r < 0 ? complain(reterr, r, path) : keep(path, dir, &i, reterr);
}
