#include "head/approvals-bus.h"

#include "base/str.h"
#include "head/members-bus.h"
#include "member/approvals.h"
#include "sys/bus-object.h"

/* As for tokens: longer than the day on which a room is installed is a mistake. */
#define AUTO_MAX MINT_TTL_MAX

static int need_gate(void *userdata, sd_bus_error *error, Gate **ret)
{
        _cleanup_free_ char *why = NULL;

        *ret = members_gate(members_bus_members(userdata), &why);
        return *ret ? 0 : members_bus_refuse(error, -ENOTCONN, why);
}

static int append_pending(sd_bus_message *m, const GatePending *p)
{
        char from[ADDR_MAX];

        return sd_bus_message_append(m, "(ssssstt)", p->name, p->node, addr_format(from, &p->from),
                                     strempty(p->takes), p->words, p->first, p->last);
}

int approvals_on_get_pending(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        char words[KEY_WORDS_MAX];
        sd_bus_message *reply = NULL;
        GatePending p;
        Gate *g;

        int r = need_gate(userdata, error, &g);
        if (r < 0)
                return r;
        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_append(reply, "s", gate_words(g, words));
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(ssssstt)");
        for (size_t i = 0; r >= 0 && gate_pending(g, i, &p); i++)
                if (!p.approved)
                        r = append_pending(reply, &p);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_message_send(reply);
        sd_bus_message_unref(reply);
        return r < 0 ? r : 1;
}

static char *why_not(int r, const char *who)
{
        if (r == 0)
                return str_printf("no machine called %s waits; raycluster node list --pending has "
                                  "them",
                                  who);
        if (r == -ENOTUNIQ)
                return str_printf("more than one machine called %s waits: give the words of its "
                                  "key, in quotes",
                                  who);
        if (r == -ESTALE)
                return str_printf("%s asks for something else now, or for a member's place, and "
                                  "that was not listed yet: raycluster node list --pending, then "
                                  "approve it",
                                  who);
        return str_printf("members.db in the state directory: %s", strerror(-r));
}

static int decide(sd_bus_message *m, void *userdata, sd_bus_error *error,
                  int (*verb)(Gate *, const char *))
{
        _cleanup_free_ char *why = NULL;
        const char *who;
        Gate *g;

        int r = need_gate(userdata, error, &g);
        if (r >= 0)
                r = sd_bus_message_read(m, "s", &who);
        if (r < 0)
                return r;
        r = verb(g, who);
        if (r > 0)
                return sd_bus_reply_method_return(m, "");
        why = why_not(r, who);
        return members_bus_refuse(error, r < 0 ? r : -ENOENT, why);
}

int approvals_on_approve(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return decide(m, userdata, error, gate_approve);
}

int approvals_on_deny(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return decide(m, userdata, error, gate_deny);
}

int approvals_on_auto_approve(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const char *text;
        uint64_t duration;
        Subnet subnet;
        Gate *g;

        int r = need_gate(userdata, error, &g);
        if (r >= 0)
                r = sd_bus_message_read(m, "st", &text, &duration);
        if (r < 0)
                return r;
        if (isempty(text) || subnet_parse(text, &subnet) < 0)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                                         "%s is no subnet such as 10.0.0.0/24 (no bits may be set "
                                         "behind those that count)",
                                         text);
        if (duration > AUTO_MAX)
                return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS, "30 days are the most");
        r = gate_auto_approve(g, &subnet, usec_add(now_real(), duration));
        if (r == -EXFULL)
                return members_bus_refuse(error, r,
                                          "as many subnets as there can be are approved already: "
                                          "end one with --for=0s");
        return r < 0 ? members_bus_refuse(error, r, NULL) : sd_bus_reply_method_return(m, "");
}

static int append_auto(sd_bus_message *m, size_t i, void *userdata)
{
        const AutoApproval *a = (const AutoApproval *)userdata + i;
        char text[SUBNET_MAX];

        return sd_bus_message_append(m, "(st)", subnet_format(text, &a->subnet), a->until);
}

int approvals_on_get_auto_approvals(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        AutoApproval list[STORE_AUTO_MAX];
        Gate *g;

        int r = need_gate(userdata, error, &g);
        if (r < 0)
                return r;
        int n = auto_approvals_list(members_db(members_bus_members(userdata)), now_real(), list,
                                    ELEMENTSOF(list));
        if (n < 0)
                return members_bus_refuse(error, n, NULL);
        return bus_answer_list(m, "(st)", (size_t)n, append_auto, list);
}
