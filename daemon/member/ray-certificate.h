/* A machine's key and certificate for Ray's TLS: kept in the state directory, and put where Ray
 * reads them. The key is made here and stays when the certificate is renewed, so that a process of
 * Ray that starts in between finds two files of one another.
 *
 * Ray's processes read them when they start; a renewed certificate is in force everywhere on the
 * machine once Ray was restarted, for which the serial number in the engine's arguments shows that
 * it is due (wire/engine-args.h).
 *
 * state_dir: ray-tls.pem, 0600. dir: ca.pem, cert.pem, key.pem, 0640, and itself 0750, with the
 * group of the folder that it is in, whose set-group-id bit gives it (engine/tls.h). */
#pragma once

#include "member/ray-authority.h"
#include "wire/member-codec.h"

/* When a certificate is to be asked for, in Unix time: two thirds of its life, or 0 = now: there is
 * none, it is damaged, over, or lacks one of the addresses. */
usec_t ray_certificate_renew_at(const char *state_dir, const Addr *addrs, size_t n_addrs,
                                usec_t now);

/* Appends the request (DER) to send. name: own host name. The key is on the disk before anybody
 * hears of it. As identity_key() and pki_request_new(). */
int ray_certificate_request(const char *state_dir, const char *name, Buf *ret_csr);
/* The answer: kept, and put into dir. *reterr (caller frees), for every error but -ENOMEM: it is
 * for another key, of no authority that came with it, not valid by our clock, or cannot be written.
 */
int ray_certificate_take(const char *state_dir, const char *dir, const MemberIssued *m, usec_t now,
                         char **reterr);
/* Whether what is kept is of the authority that came with this answer: an admin may have removed
 * the one before. */
bool ray_certificate_is_of(const char *state_dir, const MemberIssued *m);
/* No member any more: what is kept goes, also a key that waits for its certificate. Best effort. */
void ray_certificate_forget(const char *state_dir);
/* After a boot, or a new start of the daemon: put what is kept into dir. -ENOENT: nothing is. */
int ray_certificate_restore(const char *state_dir, const char *dir);

/* The head's own: made or renewed when it is time to, and put into dir. own: its node, name and
 * addresses. As ray_certificate_take(). */
int ray_certificate_provide(const char *state_dir, const char *dir, const RayAuthority *a,
                            const PkiNames *own, usec_t now, char **reterr);
