/* What a head issued, looked at before it is kept: a certificate of our key, for us, of an
 * authority that comes with it, and among those the one that the head is known by: else the next
 * connection would trust somebody else. */
#pragma once

#include "member/identity.h"
#include "wire/member-codec.h"

/* The certificates go to *ret, which has no key: it is the caller's to add. known: of the head's
 * authority. -EBADMSG: it is not that; those of reading certificates. */
int issued_read(const MemberIssued *m, const PkiKey *key, const char *node, const PkiCert *known,
                Identity *ret);
