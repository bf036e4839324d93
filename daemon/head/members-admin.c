/* What an admin wants of the members: tokens, the roster, another token of Ray. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "head/members-private.h"
#include "role/token.h"

int members_need_open(const Members *m, char **reterr)
{
        if (m->gate)
                return 0;
        *reterr = strdup(strempty(m->text));
        return *reterr ? -ENOTCONN : -ENOMEM;
}

static int of_store(int r, char **reterr)
{
        if (r < 0 && r != -ENOMEM && !*reterr)
                *reterr = str_printf("members.db in the state directory: %s", strerror(-r));
        return r;
}

int members_mint(Members *m, const TokenTerms *terms, char ret_id[static STORE_ID_MAX],
                 char **ret_text, char **reterr)
{
        uint8_t pin[1][STORE_PIN_SIZE];

        int r = members_need_open(m, reterr);
        if (r < 0)
                return r;
        pki_cert_pin(authority_cert(m->authority), pin[0]);
        r = token_mint(m->db, pin, 1, terms, now_real(), ret_id, ret_text);
        if (r == -EXFULL)
                *reterr = str_printf("%d tokens are good already: revoke some (raycluster token "
                                     "list)",
                                     STORE_TOKENS_MAX);
        else if (r == -EINVAL)
                *reterr = str_printf("a token is good for 1 to %d uses and at most 30 days",
                                     MINT_USES_MAX);
        return of_store(r, reterr);
}

int members_tokens(Members *m, TokenRow **ret, size_t *ret_n, char **reterr)
{
        int r = members_need_open(m, reterr);
        return r < 0 ? r : of_store(tokens_list(m->db, ret, ret_n), reterr);
}

int members_revoke_token(Members *m, const char *id, char **reterr)
{
        int r = members_need_open(m, reterr);
        if (r >= 0)
                r = of_store(tokens_revoke(m->db, id), reterr);
        if (r != 0)
                return r < 0 ? r : 0;
        *reterr =
                str_printf("no token %s that could be revoked; raycluster token list has them", id);
        return -ENOENT;
}

int members_list(Members *m, MemberRow **ret, size_t *ret_n, char **reterr)
{
        int r = members_need_open(m, reterr);
        return r < 0 ? r : of_store(roster_list(m->db, ret, ret_n), reterr);
}

bool members_find(const Members *m, const char *node, GateMember *ret)
{
        return m->gate && gate_find(m->gate, node, ret);
}

/* By name, else by node id: a name is that of a revoked one only when nobody else has it. */
static int find(Members *m, const char *who, MemberRow *ret, char **reterr)
{
        int r = members_need_open(m, reterr);
        if (r >= 0)
                r = of_store(roster_find_name(m->db, who, ret), reterr);
        if (r == 0)
                r = of_store(roster_find_node(m->db, who, ret), reterr);
        if (r == 0)
                r = of_store(roster_find_revoked(m->db, who, ret), reterr);
        if (r != 0)
                return r;
        *reterr = str_printf("no member is called %s; raycluster node list has them", who);
        return -ENOENT;
}

int members_revoke(Members *m, const char *who, char **reterr)
{
        MemberRow row;

        int r = find(m, who, &row, reterr);
        if (r >= 0)
                r = of_store(roster_revoke(m->db, row.node), reterr);
        if (r < 0)
                return r;
        member_log_revoked(&row);
        r = m->ray_token ? token_mark(m->state_dir, row.name, m->ray_token) : 0;
        if (r < 0)
                (void)log_warning_errno(r, "Failed to write down that %s knows Ray's token: %m",
                                        row.name);
        (void)gate_revoke(m->gate, row.node);
        members_count(m);
        members_show(m);
        return 0;
}

const char *members_ray_token(const Members *m, char **reterr)
{
        if (!m->ray_token)
                *reterr = strdup(m->no_token ? m->no_token
                                             : "Ray's authentication is off: there is no token");
        return m->ray_token;
}

int members_rotate(Members *m, char **reterr)
{
        if (!members_ray_token(m, reterr))
                return *reterr ? -ENOENT : -ENOMEM;
        int r = token_rotate(m->state_dir, reterr);
        if (r < 0)
                return r;
        log_event(LOG_NOTICE, MSG_TOKEN_ROTATED, NULL,
                  "Ray has another token: Ray is restarted with it on every machine");
        m->ops.on_rotated(m, m->userdata);
        members_show(m);
        return 0;
}

int members_drop(Members *m, const char *node)
{
        int r = db_begin(m->db);
        if (r >= 0)
                r = roster_forget(m->db, node);
        if (r >= 0)
                r = db_commit(m->db);
        if (r < 0)
                db_rollback(m->db);
        else
                (void)gate_revoke(m->gate, node);
        members_count(m);
        return r;
}

int members_forget(Members *m, const char *who, char **reterr)
{
        GateMember here;
        MemberRow row;

        int r = find(m, who, &row, reterr);
        if (r < 0)
                return r;
        if (!row.revoked && gate_find(m->gate, row.node, &here)) {
                *reterr =
                        str_printf("%s is here: raycluster leave there, or raycluster node revoke "
                                   "%s first",
                                   row.name, row.name);
                return -EBUSY;
        }
        r = of_store(members_drop(m, row.node), reterr);
        if (r < 0)
                return r;
        members_show(m);
        return 0;
}

int members_command(Members *m, const char *who, MemberOrder order, const char *argument,
                    gate_command_cb cb, void *userdata, char **reterr)
{
        MemberRow row;

        int r = find(m, who, &row, reterr);
        return r < 0 ? r : gate_command(m->gate, row.node, order, argument, 0, cb, userdata);
}
