#include "member/issued.h"

#include <string.h>

#include "base/str.h"

static int take_cert(MemberBytes b, PkiCert **ret)
{
        return pki_cert_from_der(b.data, b.size, ret);
}

static bool is_of_key(const PkiCert *cert, const PkiKey *key)
{
        uint8_t of_cert[PKI_PIN_SIZE], of_key[PKI_PIN_SIZE];

        pki_cert_pin(cert, of_cert);
        pki_key_pin(key, of_key);
        return memcmp(of_cert, of_key, sizeof(of_key)) == 0;
}

static bool is_signed(const Identity *i)
{
        for (size_t k = 0; k < i->n_cas; k++)
                if (pki_cert_is_signed_by(i->cert, i->cas[k]))
                        return true;
        return false;
}

static bool is_listed(const Identity *i, const PkiCert *known)
{
        uint8_t want[PKI_PIN_SIZE], pin[PKI_PIN_SIZE];

        pki_cert_pin(known, want);
        for (size_t k = 0; k < i->n_cas; k++) {
                pki_cert_pin(i->cas[k], pin);
                if (memcmp(pin, want, sizeof(pin)) == 0)
                        return true;
        }
        return false;
}

int issued_read(const MemberIssued *m, const PkiKey *key, const char *node, const PkiCert *known,
                Identity *ret)
{
        _cleanup_identity_ Identity i = {0};
        PkiNames names;

        static_assert(MEMBER_CAS_MAX <= ELEMENTSOF(i.cas), "authorities");
        int r = take_cert(m->cert, &i.cert);
        for (; i.n_cas < m->n_cas && r >= 0; i.n_cas += r >= 0)
                r = take_cert(m->cas[i.n_cas], &i.cas[i.n_cas]);
        if (r >= 0)
                r = pki_cert_names(i.cert, &names);
        if (r < 0)
                return r;
        if (names.role != PKI_WORKER || !streq(names.node, node) || !is_of_key(i.cert, key) ||
            !is_signed(&i) || !known || !is_listed(&i, known))
                return -EBADMSG;
        *ret = i;
        i = (Identity){0};
        return 0;
}
