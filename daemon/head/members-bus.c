#include "head/members-bus.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "head/approvals-bus.h"
#include "head/orders-bus.h"
#include "model/key-words.h"
#include "sys/bus-object.h"

#define OBJECT         "/org/raycluster1/Head"
#define INTERFACE      "org.raycluster1.Members"
#define ERROR_ARGUMENT SD_BUS_ERROR_INVALID_ARGS
#define ERROR_MEMBERS  "org.raycluster1.Error.Members"

struct MembersBus {
        BusObject *object;
        Members *members; /* weak */
};

Members *members_bus_members(MembersBus *b)
{
        return b->members;
}

int members_bus_refuse(sd_bus_error *error, int r, const char *why)
{
        if (r == -ENOMEM)
                return r;
        return sd_bus_error_set(error, ERROR_MEMBERS, why ? why : strerror(-r));
}

/* --- tokens -------------------------------------------------------------------------------------
 */

/* 0: the caller was told. */
static int read_terms(sd_bus_message *m, TokenTerms *ret, sd_bus_error *error)
{
        const char *pattern, *group, *subnet;
        uint64_t ttl;
        uint32_t uses;

        int r = sd_bus_message_read(m, "utsss", &uses, &ttl, &pattern, &group, &subnet);
        if (r < 0)
                return r;
        *ret = (TokenTerms){.uses = uses > 0 ? uses : MINT_USES,
                            .expires = usec_add(now_real(), ttl > 0 ? ttl : MINT_TTL)};
        if (strlen(pattern) >= sizeof(ret->pattern) || strlen(group) >= sizeof(ret->group))
                return sd_bus_error_setf(error, ERROR_ARGUMENT,
                                         "names and groups have at most %zu characters",
                                         sizeof(ret->pattern) - 1);
        if (!isempty(group) && !str_is_name(group, sizeof(ret->group) - 1))
                return sd_bus_error_setf(error, ERROR_ARGUMENT,
                                         "%s is no group's name: letters, digits, \".\", \"_\", "
                                         "\"-\", as node.group has them",
                                         group);
        str_copy(ret->pattern, sizeof(ret->pattern), pattern);
        str_copy(ret->group, sizeof(ret->group), group);
        if (!isempty(subnet) && subnet_parse(subnet, &ret->subnet) < 0)
                return sd_bus_error_setf(error, ERROR_ARGUMENT,
                                         "%s is no subnet such as 10.0.0.0/24 (no bits may be set "
                                         "behind those that count)",
                                         subnet);
        return 1;
}

static int on_create_token(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        MembersBus *b = userdata;
        _cleanup_free_ char *why = NULL;
        _cleanup_forget_text_ char *text = NULL;
        sd_bus_message *reply = NULL;
        char id[STORE_ID_MAX];
        TokenTerms terms;

        int r = read_terms(m, &terms, error);
        if (r <= 0)
                return r;
        r = members_mint(b->members, &terms, id, &text, &why);
        if (r < 0)
                return members_bus_refuse(error, r, why);
        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_sensitive(reply);
        if (r >= 0)
                r = sd_bus_message_append(reply, "sst", id, text, terms.expires);
        if (r >= 0)
                r = sd_bus_message_send(reply);
        sd_bus_message_unref(reply);
        return r < 0 ? r : 1;
}

static const char *state_of(const TokenRow *t)
{
        usec_t now = now_real();

        if (t->revoked)
                return "revoked";
        if (t->terms.expires <= now)
                return "expired";
        return t->left == 0 ? "used-up" : "good";
}

static int append_token(sd_bus_message *m, size_t i, void *userdata)
{
        const TokenRow *t = (const TokenRow *)userdata + i;
        char subnet[SUBNET_MAX];

        return sd_bus_message_append(m, "(ssttuusss)", t->id, state_of(t), t->created,
                                     t->terms.expires, t->terms.uses, t->left, t->terms.pattern,
                                     t->terms.group, subnet_format(subnet, &t->terms.subnet));
}

static int on_list_tokens(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        MembersBus *b = userdata;
        _cleanup_free_ char *why = NULL;
        _cleanup_free_ TokenRow *rows = NULL;
        size_t n = 0;

        int r = members_tokens(b->members, &rows, &n, &why);
        if (r < 0)
                return members_bus_refuse(error, r, why);
        return bus_answer_list(m, "(ssttuusss)", n, append_token, rows);
}

/* --- what takes one name ------------------------------------------------------------------------
 */

static int act(sd_bus_message *m, void *userdata, sd_bus_error *error,
               int (*verb)(Members *, const char *, char **))
{
        MembersBus *b = userdata;
        _cleanup_free_ char *why = NULL;
        const char *who;

        int r = sd_bus_message_read(m, "s", &who);
        if (r < 0)
                return r;
        r = verb(b->members, who, &why);
        return r < 0 ? members_bus_refuse(error, r, why) : sd_bus_reply_method_return(m, "");
}

static int on_revoke_token(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return act(m, userdata, error, members_revoke_token);
}

static int on_revoke(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return act(m, userdata, error, members_revoke);
}

static int on_forget(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return act(m, userdata, error, members_forget);
}

/* --- members ------------------------------------------------------------------------------------
 */

typedef struct MemberList {
        const MembersBus *bus;
        const MemberRow *rows;
} MemberList;

static int append_member(sd_bus_message *m, size_t i, void *userdata)
{
        static const MemberFacts nothing = {0};
        const MemberList *list = userdata;
        const MemberRow *row = &list->rows[i];
        char from[ADDR_MAX] = "", words[KEY_WORDS_MAX];
        GateMember here;

        bool is_here = members_find(list->bus->members, row->node, &here);
        const MemberFacts *f = is_here ? here.facts : &nothing;
        if (is_here)
                addr_format(from, &here.from);
        return sd_bus_message_append(m, "(ssssstttuutsss)", row->name, row->node,
                                     row->revoked ? "revoked"
                                     : is_here    ? "here"
                                                  : "away",
                                     row->group, from, row->enrolled, row->not_after, row->seen,
                                     f->cpus, f->gpus, f->memory, f->versions.ray,
                                     f->versions.python, key_words(row->pin, words));
}

static int on_get_members(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        MembersBus *b = userdata;
        _cleanup_free_ char *why = NULL;
        _cleanup_free_ MemberRow *rows = NULL;
        size_t n = 0;

        int r = members_list(b->members, &rows, &n, &why);
        if (r < 0)
                return members_bus_refuse(error, r, why);
        return bus_answer_list(m, "(ssssstttuutsss)", n, append_member,
                               &(MemberList){.bus = b, .rows = rows});
}

static int on_get_ray_token(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        MembersBus *b = userdata;
        _cleanup_free_ char *why = NULL;
        const char *token = members_ray_token(b->members, &why);

        if (!token)
                return members_bus_refuse(error, why ? -ENOENT : -ENOMEM, why);
        return sd_bus_reply_method_return(m, "s", token);
}

static int on_rotate(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        MembersBus *b = userdata;
        _cleanup_free_ char *why = NULL;

        int r = members_rotate(b->members, &why);
        return r < 0 ? members_bus_refuse(error, r, why) : sd_bus_reply_method_return(m, "");
}

/* UNPRIVILEGED: see units/dbus/org.raycluster1.conf. */
static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS(
                "CreateToken",
                SD_BUS_ARGS("u", uses, "t", ttl_usec, "s", name_pattern, "s", group, "s", subnet),
                SD_BUS_RESULT("s", id, "s", token, "t", expires), on_create_token,
                SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
        SD_BUS_METHOD_WITH_ARGS("ListTokens", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(ssttuusss)", tokens),
                                on_list_tokens, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RevokeToken", SD_BUS_ARGS("s", id), SD_BUS_NO_RESULT,
                                on_revoke_token, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetMembers", SD_BUS_NO_ARGS,
                                SD_BUS_RESULT("a(ssssstttuutsss)", members), on_get_members,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RevokeMember", SD_BUS_ARGS("s", who), SD_BUS_NO_RESULT, on_revoke,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ForgetMember", SD_BUS_ARGS("s", who), SD_BUS_NO_RESULT, on_forget,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetPending", SD_BUS_NO_ARGS,
                                SD_BUS_RESULT("s", words_head, "a(ssssstt)", pending),
                                approvals_on_get_pending, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Approve", SD_BUS_ARGS("s", who), SD_BUS_NO_RESULT,
                                approvals_on_approve, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Deny", SD_BUS_ARGS("s", who), SD_BUS_NO_RESULT, approvals_on_deny,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("AutoApprove", SD_BUS_ARGS("s", subnet, "t", for_usec),
                                SD_BUS_NO_RESULT, approvals_on_auto_approve,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetAutoApprovals", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(st)", subnets),
                                approvals_on_get_auto_approvals, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CommandMember", SD_BUS_ARGS("s", who, "s", order, "s", argument),
                                SD_BUS_RESULT("s", text), orders_on_command_member,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetRayToken", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", token),
                                on_get_ray_token,
                                SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
        SD_BUS_METHOD_WITH_ARGS("RotateRayToken", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, on_rotate,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

int members_bus_new(Bus *bus, Members *members, MembersBus **ret)
{
        _cleanup_(members_bus_freep) MembersBus *b = new0(MembersBus, 1);
        if (!b)
                return -ENOMEM;
        b->members = members;
        int r = bus_object_new(bus, OBJECT, INTERFACE, vtable, NULL, b, &b->object);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(b);
        return 0;
}

MembersBus *members_bus_free(MembersBus *b)
{
        if (!b)
                return NULL;
        bus_object_free(b->object);
        free(b);
        return NULL;
}
