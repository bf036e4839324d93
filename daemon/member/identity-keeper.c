#include "member/identity-keeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/backoff.h"
#include "base/str.h"
#include "member/issued.h"
#include "sys/mac.h"
#include "sys/pki-request.h"

/* One of the two identities, and who it is in TLS. */
typedef struct Kept {
        Identity identity;
        TlsParty *party; /* NULL = there is none */
        usec_t from, until;
} Kept;

struct IdentityKeeper {
        char *path, *path_new;
        Kept worked, tried;
        PkiNames names;
        usec_t due;
        Backoff backoff;
};

static void kept_done(Kept *k)
{
        k->party = tls_party_unref(k->party);
        identity_done(&k->identity);
}

static int kept_load(const char *path, Kept *ret)
{
        _cleanup_(kept_done) Kept k = {0};

        int r = identity_load(path, &k.identity);
        if (r >= 0)
                r = identity_party(&k.identity, &k.party);
        if (r < 0)
                return r;
        pki_cert_dates(k.identity.cert, &k.from, &k.until);
        *ret = k;
        k = (Kept){0};
        return 0;
}

IdentityKeeper *identity_keeper_free(IdentityKeeper *k)
{
        if (!k)
                return NULL;
        kept_done(&k->worked);
        kept_done(&k->tried);
        free(k->path);
        free(k->path_new);
        free(k);
        return NULL;
}

/* Without chance from the kernel there is no jitter, and nothing worse. A clock that is far ahead
 * must not make one renewal follow the other. */
static void plan(IdentityKeeper *k, usec_t not_before)
{
        usec_t life = usec_sub(k->worked.until, k->worked.from), jitter = life / IDENTITY_JITTER;
        uint32_t chance = UINT32_MAX / 2;

        (void)random_bytes(&chance, sizeof(chance));
        k->due = usec_add(k->worked.from, life / IDENTITY_RENEW_DEN * IDENTITY_RENEW_NUM - jitter);
        k->due = usec_add(k->due, (usec_t)((double)jitter * 2 * chance / (double)UINT32_MAX));
        k->due = MAX(k->due, usec_add(not_before, jitter));
}

/* What was not tried before the end, or not to its end: for the same machine and key only. */
static void resume(IdentityKeeper *k)
{
        uint8_t ours[PKI_PIN_SIZE], theirs[PKI_PIN_SIZE];
        Kept next;

        if (kept_load(k->path_new, &next) < 0)
                return;
        pki_key_pin(k->worked.identity.key, ours);
        pki_key_pin(next.identity.key, theirs);
        if (memcmp(ours, theirs, sizeof(ours)) == 0 && next.until >= k->worked.until)
                k->tried = next;
        else
                kept_done(&next);
}

int identity_keeper_new(const char *path, IdentityKeeper **ret)
{
        _cleanup_(identity_keeper_freep) IdentityKeeper *k = new0(IdentityKeeper, 1);
        if (!k)
                return -ENOMEM;
        *k = (IdentityKeeper){
                .path = strdup(path),
                .path_new = str_printf("%s.new", path),
                .backoff = {.base = IDENTITY_RETRY, .max = IDENTITY_RETRY_MAX},
        };
        if (!k->path || !k->path_new)
                return -ENOMEM;
        int r = kept_load(path, &k->worked);
        if (r >= 0)
                r = pki_cert_names(k->worked.identity.cert, &k->names);
        if (r < 0)
                return r;
        plan(k, 0);
        resume(k);
        *ret = TAKE_PTR(k);
        return 0;
}

bool identity_keeper_tries(const IdentityKeeper *k)
{
        return k->tried.party;
}

static const Kept *current(const IdentityKeeper *k)
{
        return k->tried.party ? &k->tried : &k->worked;
}

TlsParty *identity_keeper_party(const IdentityKeeper *k)
{
        return current(k)->party;
}

usec_t identity_keeper_until(const IdentityKeeper *k)
{
        return current(k)->until;
}

bool identity_keeper_names(const IdentityKeeper *k, const Addr *a)
{
        PkiNames n;

        if (pki_cert_names(current(k)->identity.cert, &n) < 0)
                return false;
        for (size_t i = 0; i < n.n_addrs; i++)
                if (addr_equal(&n.addrs[i], a))
                        return true;
        return false;
}

bool identity_keeper_is_due(const IdentityKeeper *k, usec_t now)
{
        return !k->tried.party && now >= k->due;
}

bool identity_keeper_is_expired(const IdentityKeeper *k, usec_t now)
{
        return now >= current(k)->until;
}

int identity_keeper_request(const IdentityKeeper *k, Buf *ret_der)
{
        return pki_request_new(k->worked.identity.key, k->names.name, ret_der);
}

/* The one that we know the head by. */
static const PkiCert *authority_of(const IdentityKeeper *k, const PkiCert *head)
{
        const Identity *i = &current(k)->identity;

        for (size_t n = 0; n < i->n_cas && head; n++)
                if (pki_cert_is_signed_by(head, i->cas[n]))
                        return i->cas[n];
        return NULL;
}

int identity_keeper_take(IdentityKeeper *k, const MemberIssued *m, const PkiCert *head)
{
        _cleanup_identity_ Identity i = {0};
        Kept next;

        int r = issued_read(m, k->worked.identity.key, k->names.node, authority_of(k, head), &i);
        if (r < 0)
                return r;
        i.key = k->worked.identity.key; /* lent */
        r = identity_save(k->path_new, &i);
        i.key = NULL;
        if (r >= 0)
                r = kept_load(k->path_new, &next);
        if (r < 0)
                return r;
        kept_done(&k->tried);
        k->tried = next;
        return 0;
}

int identity_keeper_worked(IdentityKeeper *k, usec_t now)
{
        if (!k->tried.party)
                return 0;
        if (rename(k->path_new, k->path) < 0)
                return -errno;
        kept_done(&k->worked);
        k->worked = k->tried;
        k->tried = (Kept){0};
        backoff_reset(&k->backoff);
        plan(k, now);
        return 0;
}

void identity_keeper_failed(IdentityKeeper *k, usec_t now)
{
        if (k->tried.party)
                (void)unlink(k->path_new);
        kept_done(&k->tried);
        k->due = usec_add(now, backoff_next(&k->backoff));
}
