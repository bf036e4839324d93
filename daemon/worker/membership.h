/* The worker's membership: joins a cluster once with a token, then keeps one connection to its
 * head, and hands on what the head says. Discovery finds addresses; which of them is the head, TLS
 * decides.
 *
 * Where it stands is one sentence; what an admin should see is in the journal. */
#pragma once

#include "member/link.h"
#include "worker/head-turns.h"

typedef struct Membership Membership;

typedef struct MembershipPolicy {
        const char *state_dir, *node_id;
        const char *name; /* own host name */
} MembershipPolicy;

/* From the loop. */
typedef struct MembershipOps {
        /* The sentence changed. */
        void (*on_change)(Membership *m, void *userdata);
        /* The head gave another token of Ray than before, or took it away: role/token has it. */
        void (*on_token)(Membership *m, void *userdata);
        /* What the head has set for all machines is other than before, or nothing any more: it is
         * in DAEMON_HEAD_CONF of the state directory. */
        void (*on_settings)(Membership *m, void *userdata);
        /* What became of membership_ask_ray(); neither may end the membership. */
        void (*on_ray_issued)(Membership *m, const MemberIssued *issued, void *userdata);
        void (*on_ray_refused)(Membership *m, const char *why, void *userdata);
        /* What the head's reflector answers (member_link_reflect()); valid until it returns. May be
         * NULL. */
        void (*on_reflect)(Membership *m, MemberBytes reply, void *userdata);
        /* What the head's admin wants; to be answered by membership_done(), also later. */
        void (*on_command)(Membership *m, const MemberCommand *c, void *userdata);
} MembershipOps;

/* Before the configuration is read: what a head has given to a member, Ray's token and settings,
 * goes with the identity, whoever has removed that. Not on a machine that is a head, too. */
void membership_tidy(const char *state_dir);

/* Everything is copied. What was joined before is taken up again. */
int membership_new(sd_event *event, const MembershipPolicy *p, const MembershipOps *ops,
                   void *userdata, Membership **ret);
Membership *membership_free(Membership *m);
DEFINE_CLEANUP(Membership *, membership_free);

/* Where the head's control port may be, the likeliest first: tried one after the other, then after
 * a pause again (head_turns_set()). */
void membership_set_heads(Membership *m, const Addr *heads, size_t n, bool only);
/* Of this machine, for the head's lists; what is empty stays as it was. */
void membership_set_versions(Membership *m, const Versions *v);
/* That Ray is told on this machine: named first, so that its certificate has it. */
void membership_set_address(Membership *m, const Addr *address);
/* The machine's addresses may be others: if they are, the head hears it. */
void membership_look_again(Membership *m);
/* As member_link_done() and member_link_event(). */
int membership_done(Membership *m, uint64_t number, bool ok, const char *text);
int membership_event(Membership *m, const char *message_id, const char *text, usec_t at);

/* error: 0, or negative errno and the sentence. With 0 and a sentence the machine waits for a word
 * of the head's admin, who sees the same words for both keys; or has left, and the head is to be
 * told by hand. */
typedef struct MembershipAnswer {
        int error;
        const char *text, *words_head, *words_own;
} MembershipAnswer;

/* From the loop, or before the function that it was given to returns. */
typedef void (*membership_cb)(const MembershipAnswer *a, void *userdata);
/* Joins with the token's text, or, for NULL, asks the head's admin, at one of these addresses, or,
 * without any, where discovery finds heads in half a minute. One at a time: -EBUSY. cb is called
 * once, unless the membership is freed before. Who asked before, and is not let in by this, asks
 * on. */
void membership_join(Membership *m, const char *token, const Addr *heads, size_t n,
                     membership_cb cb, void *userdata);
/* The same without anybody who waits: asks the head that discovery finds, whenever that is. Does
 * nothing on a member, nor on a machine that was told to leave, until somebody has it join. */
void membership_ask(Membership *m);

/* Tells the head, if it is there, and removes what makes this machine a member, Ray's token too. cb
 * as above. */
void membership_leave(Membership *m, membership_cb cb, void *userdata);

/* What the head has set, or NULL; while it cannot be written it does not hold yet. Valid until the
 * loop goes on. */
const char *membership_settings(const Membership *m);
/* As the head gave it (caller frees); -ENOENT: it gave none. */
int membership_ray_token(const Membership *m, char **ret);
/* The connection to the head while it stands, or NULL. Valid until the next on_change. */
MemberLink *membership_link(const Membership *m);
bool membership_is_member(const Membership *m);
bool membership_is_connected(const Membership *m);
/* As member_link_ask_ray(). */
int membership_ask_ray(Membership *m, MemberBytes csr);
/* It is one, or was made one and its identity cannot be read: Ray runs for a confirmed head only.
 */
bool membership_is_bound(const Membership *m);
/* The control port of the head, confirmed (member/confirmed.h); NULL: not yet. Valid until the next
 * on_change. */
const Addr *membership_head(const Membership *m);
const char *membership_text(const Membership *m);
