/* Settings and Ray's token: each member has a version of both, and gets the next when it changes.
 */
#include "base/str.h"
#include "member/gate-private.h"
#include "sys/mac.h"

/* The group of a token is a setting of the machines that joined with it, and of no other. */
static char *settings_for(const Visitor *v)
{
        const char *group = v->row.group, *all = strempty(v->gate->settings);

        return str_is_name(group, sizeof(v->row.group) - 1)
                       ? str_printf("%snode: {\n    group = \"%s\";\n};\n", all, group)
                       : strdup(all);
}

static int push_settings(Visitor *v)
{
        const Gate *g = v->gate;

        if (v->settings == g->settings_version || !(v->can & MEMBER_CAN_SETTINGS))
                return 0;
        _cleanup_free_ char *text = settings_for(v);
        const MemberMessage m = {.kind = MEMBER_SETTINGS, .settings = text};
        if (!text)
                return -ENOMEM;
        int r = peer_send(v->peer, &m);
        if (r >= 0)
                v->settings = g->settings_version;
        return r;
}

static int push_welcome(Visitor *v)
{
        const Gate *g = v->gate;
        MemberMessage m = {.kind = MEMBER_WELCOME, .welcome = {.beat = g->policy.beat}};

        if (v->ray_token == g->ray_token_version)
                return 0;
        str_copy(m.welcome.cluster, sizeof(m.welcome.cluster), g->cluster);
        str_copy(m.welcome.ray_token, sizeof(m.welcome.ray_token), strempty(g->ray_token));
        int r = peer_send(v->peer, &m);
        mac_forget(&m, sizeof(m));
        if (r >= 0)
                v->ray_token = g->ray_token_version;
        return r;
}

int visitor_push(Visitor *v)
{
        int r = push_settings(v);
        return r < 0 ? r : push_welcome(v);
}

/* Whom it cannot be said to now, it is said to at the next beat, or its connection ends. */
static void push_all(Gate *g)
{
        for (Guest *x = g->guests.members; x; x = x->next) {
                Visitor *v = visitor_of(x);
                if (!v->gone)
                        (void)visitor_push(v);
        }
}

int gate_set_settings(Gate *g, const char *text)
{
        if (strlen(text) >= MEMBER_SETTINGS_MAX - GATE_SETTINGS_EACH || !utf8_is_printable(text))
                return -EINVAL;
        int r = free_and_strdup(&g->settings, text);
        if (r <= 0)
                return r;
        g->settings_version++;
        push_all(g);
        return 0;
}

int gate_set_ray_token(Gate *g, const char *token)
{
        if (strlen(strempty(token)) >= MEMBER_TOKEN_MAX)
                return -EINVAL;
        if (streq_ptr(g->ray_token, token))
                return 0;
        _cleanup_forget_text_ char *before = TAKE_PTR(g->ray_token);
        int r = free_and_strdup(&g->ray_token, token);
        if (r < 0) {
                g->ray_token = TAKE_PTR(before);
                return r;
        }
        g->ray_token_version++;
        push_all(g);
        return 0;
}
