/*
 *     NONE ── proved ──> HOLDS <── proved ── KEPT (of an earlier start)
 *      ^                  │  ^                │
 *      │                  │  └─ no answer ────┤
 *      └──── a stranger answers, forgotten ───┘
 *
 * KEPT waits for the first attempt: a stranger at the old address gets nothing.
 */
#include "member/confirmed.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/str.h"

#define FILE_NAME "confirmed-head"

typedef enum ConfirmedState {
        CONFIRMED_NONE,
        CONFIRMED_KEPT,
        CONFIRMED_HOLDS,
        _CONFIRMED_STATE_MAX,
        _CONFIRMED_STATE_INVALID = -EINVAL,
} ConfirmedState;

struct Confirmed {
        char *path;
        ConfirmedState state;
        Addr at; /* not set in NONE */
};

static const uint32_t next_states[_CONFIRMED_STATE_MAX] = {
        [CONFIRMED_NONE] = 1U << CONFIRMED_KEPT | 1U << CONFIRMED_HOLDS,
        [CONFIRMED_KEPT] = 1U << CONFIRMED_NONE | 1U << CONFIRMED_HOLDS,
        [CONFIRMED_HOLDS] = 1U << CONFIRMED_NONE | 1U << CONFIRMED_HOLDS,
};

static void confirmed_set_state(Confirmed *c, ConfirmedState state, const Addr *at)
{
        if (!(next_states[c->state] & 1U << state))
                return;
        c->state = state;
        c->at = at ? *at : (Addr){0};
}

/* Neither scope nor port have a place in a certificate. */
static bool is_named(const Addr *at, const PkiCert *head)
{
        Addr bare = *at;
        PkiNames names;

        bare.scope = 0;
        if (addr_is_loopback(at))
                return true;
        if (!head || pki_cert_names(head, &names) < 0)
                return false;
        for (size_t i = 0; i < names.n_addrs; i++)
                if (addr_equal(&names.addrs[i], &bare))
                        return true;
        return false;
}

int confirmed_prove(Confirmed *c, const Addr *at, const PkiCert *head)
{
        char text[ADDR_PORT_MAX + 1], buf[ADDR_PORT_MAX];

        if (!is_named(at, head))
                return 0;
        bool kept = c->state != CONFIRMED_NONE && addr_port_equal(&c->at, at);
        confirmed_set_state(c, CONFIRMED_HOLDS, at);
        if (kept)
                return 1;
        (void)snprintf(text, sizeof(text), "%s\n", addr_format_port(buf, at));
        int r = write_file_atomic(c->path, text, strlen(text), 0600, (gid_t)-1);
        return r < 0 ? r : 1;
}

bool confirmed_miss(Confirmed *c, const Addr *at, bool stranger)
{
        if (c->state == CONFIRMED_NONE || !addr_port_equal(&c->at, at))
                return false;
        if (stranger) {
                bool held = c->state == CONFIRMED_HOLDS;
                confirmed_forget(c);
                return held;
        }
        bool news = c->state == CONFIRMED_KEPT;
        if (news)
                confirmed_set_state(c, CONFIRMED_HOLDS, at);
        return news;
}

void confirmed_forget(Confirmed *c)
{
        confirmed_set_state(c, CONFIRMED_NONE, NULL);
        (void)unlink(c->path);
}

const Addr *confirmed_addr(const Confirmed *c)
{
        return c->state == CONFIRMED_HOLDS ? &c->at : NULL;
}

const Addr *confirmed_last(const Confirmed *c)
{
        return c->state != CONFIRMED_NONE ? &c->at : NULL;
}

int confirmed_new(const char *state_dir, Confirmed **ret)
{
        _cleanup_(confirmed_freep) Confirmed *c = new0(Confirmed, 1);
        _cleanup_free_ char *text = NULL;
        Addr at;

        if (!c || !(c->path = path_join(state_dir, FILE_NAME)))
                return -ENOMEM;
        int r = read_file(c->path, ADDR_PORT_MAX, &text, NULL);
        if (r == -ENOMEM)
                return r;
        if (r >= 0 && addr_parse_port(str_strip(text), &at) >= 0)
                confirmed_set_state(c, CONFIRMED_KEPT, &at);
        *ret = TAKE_PTR(c);
        return 0;
}

Confirmed *confirmed_free(Confirmed *c)
{
        if (!c)
                return NULL;
        free(c->path);
        free(c);
        return NULL;
}
