#include "member/identity.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/str.h"
#include "member/first-sight.h"
#include "sys/mac.h"

void identity_done(Identity *i)
{
        i->key = pki_key_free(i->key);
        i->cert = pki_cert_free(i->cert);
        while (i->n_cas > 0)
                pki_cert_free(i->cas[--i->n_cas]);
}

static bool goes_together(const PkiKey *key, const PkiCert *cert)
{
        uint8_t of_key[PKI_PIN_SIZE], of_cert[PKI_PIN_SIZE];

        pki_key_pin(key, of_key);
        pki_cert_pin(cert, of_cert);
        return memcmp(of_key, of_cert, sizeof(of_key)) == 0;
}

int identity_read(const void *pem, size_t n, Identity *ret)
{
        _cleanup_identity_ Identity i = {0};
        PkiBundle b = {0};

        int r = pki_key_from_pem(pem, n, &i.key);
        if (r >= 0)
                r = pki_bundle_from_pem(pem, n, &b);
        if (r < 0)
                return r;
        i.cert = b.certs[0];
        for (; i.n_cas + 1 < b.n; i.n_cas++)
                i.cas[i.n_cas] = b.certs[i.n_cas + 1];
        if (!goes_together(i.key, i.cert))
                return -EBADMSG;
        *ret = i;
        i = (Identity){0};
        return 0;
}

int identity_load(const char *path, Identity *ret)
{
        _cleanup_free_ char *text = NULL;
        size_t n;

        int r = read_file(path, PKI_PEM_MAX, &text, &n);
        if (r < 0)
                return r;
        r = identity_read(text, n, ret);
        mac_forget(text, n);
        return r;
}

static int load_key(const char *path, PkiKey **ret)
{
        _cleanup_free_ char *text = NULL;
        size_t n;

        int r = read_file(path, PKI_PEM_MAX, &text, &n);
        if (r < 0)
                return r;
        r = pki_key_from_pem(text, n, ret);
        mac_forget(text, n);
        return r;
}

static int make_key(const char *path, PkiKey **ret)
{
        _cleanup_(pki_key_freep) PkiKey *key = NULL;
        _cleanup_buf_ Buf pem = {0};

        int r = pki_key_new(&key);
        if (r >= 0)
                r = pki_key_to_pem(key, &pem);
        if (r >= 0)
                r = write_file_atomic(path, buf_data(&pem), buf_size(&pem), 0600, (gid_t)-1);
        if (pem.data)
                mac_forget(pem.data, pem.cap);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(key);
        return 0;
}

/* A file that cannot be read just now is not one that is not there: its key must not be replaced.
 */
static bool is_none(int r)
{
        return r == -ENOENT || r == -EBADMSG || r == -EKEYREJECTED;
}

bool identity_is(const Identity *i, PkiRole role)
{
        PkiNames n;

        return pki_cert_names(i->cert, &n) >= 0 && n.role == role;
}

static int waiting_key(const char *path, PkiKey **ret)
{
        _cleanup_free_ char *waiting = str_printf("%s.key", path);
        if (!waiting)
                return -ENOMEM;
        int r = load_key(waiting, ret);
        return is_none(r) ? make_key(waiting, ret) : r;
}

int identity_key(const char *path, PkiKey **ret)
{
        int r = load_key(path, ret);
        return is_none(r) ? waiting_key(path, ret) : r;
}

int identity_key_as(const char *path, PkiRole role, PkiKey **ret)
{
        _cleanup_identity_ Identity i = {0};

        return identity_load(path, &i) >= 0 && !identity_is(&i, role) ? waiting_key(path, ret)
                                                                      : identity_key(path, ret);
}

int identity_save(const char *path, const Identity *i)
{
        _cleanup_free_ char *waiting = str_printf("%s.key", path);
        _cleanup_free_ char *tried = str_printf("%s.new", path);
        if (!waiting || !tried)
                return -ENOMEM;
        _cleanup_buf_ Buf pem = {0};
        int r = pki_key_to_pem(i->key, &pem);
        if (r >= 0)
                r = pki_cert_to_pem(i->cert, &pem);
        for (size_t k = 0; k < i->n_cas && r >= 0; k++)
                r = pki_cert_to_pem(i->cas[k], &pem);
        if (r >= 0)
                r = write_file_atomic(path, buf_data(&pem), buf_size(&pem), 0600, (gid_t)-1);
        if (pem.data)
                mac_forget(pem.data, pem.cap);
        if (r >= 0) {
                (void)unlink(waiting);
                (void)unlink(tried);
                first_sight_forget(path);
        }
        return r;
}

int identity_party(const Identity *i, TlsParty **ret)
{
        return tls_party_new(i->key, i->cert, i->cas, i->n_cas, ret);
}
