/* The head's members: its authority, their roster and tokens on disk, and the control port. What
 * cannot be opened now is tried again by itself; meanwhile Ray's head serves as ever.
 *
 * What an admin should see is in the journal, each with a MESSAGE_ID. */
#pragma once

#include "member/gate.h"
#include "member/mint.h"
#include "model/port-plan.h"
#include "reflect/reflector.h"

typedef struct Members Members;

typedef struct MembersPolicy {
        const char *state_dir, *node_id;
        const char *name;                  /* own host name */
        Addr address;                      /* that Ray is told; not set: not known yet */
        const char *cluster;               /* its name for people */
        const char *ray_token;             /* or NULL: authentication is off, or `no_token` */
        const char *no_token;              /* why it is not known: nobody is welcomed without it */
        const RayAuthority *ray_authority; /* weak, or NULL: Ray has no TLS */
        const char *settings;              /* for all machines, as Conf.room */
        uint16_t port;
} MembersPolicy;

typedef struct MembersOps {
        /* The sentence, or who is there, changed. From the loop. */
        void (*on_change)(Members *m, void *userdata);
        /* Ray's token on the disk is another one: it is to be taken, and Ray restarted. */
        void (*on_rotated)(Members *m, void *userdata);
} MembersOps;

/* Everything is copied. Nothing is opened before members_configure(). */
int members_new(sd_event *event, const MembersOps *ops, void *userdata, Members **ret);
Members *members_free(Members *m);
DEFINE_CLEANUP(Members *, members_free);

/* Opens, or opens anew when something of the policy is other than before. */
int members_configure(Members *m, const MembersPolicy *p);

/* What the reflector of the control port may do for members, until then it connects to nothing: a
 * test goes to the ports of a worker's plan, and who asks is told what Ray is told to announce
 * (address), and what Ray it is; versions may be NULL. */
void members_set_reflector(Members *m, const PortPlan *plan, const Addr *address,
                           const Versions *versions);

/* One sentence on the control port: "3 members of 4 are here", or why it is not open. Valid until
 * the next on_change. */
const char *members_text(const Members *m);
bool members_is_open(const Members *m);

/* The gate and its store, while they are open; NULL, and *reterr (caller frees), while they are
 * not.
 */
Gate *members_gate(const Members *m, char **reterr);
Db *members_db(const Members *m);
/* Of the policy; NULL, and *reterr (caller frees): authentication is off, or it is not known. */
const char *members_ray_token(const Members *m, char **reterr);

/* For an admin; each says in *reterr (caller frees) what is wrong, and -ENOMEM nothing. */
int members_mint(Members *m, const TokenTerms *terms, char ret_id[static STORE_ID_MAX],
                 char **ret_text, char **reterr);
int members_tokens(Members *m, TokenRow **ret, size_t *ret_n, char **reterr);
int members_revoke_token(Members *m, const char *id, char **reterr);
/* *ret: caller frees. */
int members_list(Members *m, MemberRow **ret, size_t *ret_n, char **reterr);
/* false: it is not here now. */
bool members_find(const Members *m, const char *node, GateMember *ret);
/* who: a name or a node id. */
int members_revoke(Members *m, const char *who, char **reterr);
/* Another token of Ray, for all members. */
int members_rotate(Members *m, char **reterr);
int members_forget(Members *m, const char *who, char **reterr);
/* As gate_command(), whose errors have no sentence. */
int members_command(Members *m, const char *who, MemberOrder order, const char *argument,
                    gate_command_cb cb, void *userdata, char **reterr);
