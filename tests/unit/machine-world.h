/* A worker's membership on one loop with the gates of its head; what it tells is counted. */
#pragma once

#include "gate-world.h"

#include "worker/membership.h"

typedef struct Machine {
        World w; /* of the head */
        char dir[32];
        Membership *m;
        unsigned answers, settings, tokens, changes;
        MembershipAnswer answer;
        char text[500];
} Machine;

static inline void on_change(Membership *m, void *userdata)
{
        ((Machine *)userdata)->changes++;
}

static inline void on_token(Membership *m, void *userdata)
{
        ((Machine *)userdata)->tokens++;
}

static inline void on_head_settings(Membership *m, void *userdata)
{
        ((Machine *)userdata)->settings++;
}

static inline void on_ray_issued(Membership *m, const MemberIssued *issued, void *userdata)
{
}

static inline void on_ray_refused(Membership *m, const char *why, void *userdata)
{
}

static inline void on_order(Membership *m, const MemberCommand *c, void *userdata)
{
}

static inline void on_answer(const MembershipAnswer *a, void *userdata)
{
        Machine *o = userdata;

        o->answers++;
        o->answer = *a;
        str_copy(o->text, sizeof(o->text), strempty(a->text));
}

static inline void machine_start(Machine *o)
{
        static const MembershipOps ops = {.on_change = on_change,
                                          .on_token = on_token,
                                          .on_settings = on_head_settings,
                                          .on_ray_issued = on_ray_issued,
                                          .on_ray_refused = on_ray_refused,
                                          .on_command = on_order};
        const MembershipPolicy p = {.state_dir = o->dir, .node_id = "workernode", .name = "w1"};

        assert_int_equal(membership_new(o->w.event, &p, &ops, o, &o->m), 0);
}

static inline void machine_init(Machine *o)
{
        *o = (Machine){.dir = "/tmp/test-worker-XXXXXX"};
        world_init(&o->w);
        assert_non_null(mkdtemp(o->dir));
        assert_int_equal(setenv("RAYCLUSTER_RUN_DIR", o->dir, 1), 0);
        machine_start(o);
}

static inline void machine_done(Machine *o)
{
        DIR *d = opendir(o->dir);
        struct dirent *e;

        membership_free(o->m);
        world_done(&o->w);
        while (d && (e = readdir(d)))
                (void)unlinkat(dirfd(d), e->d_name, 0);
        closedir(d);
        assert_int_equal(rmdir(o->dir), 0);
}

/* At the head's address; what is said of it is in o->answer. */
static inline void join_with(Machine *o, const char *token)
{
        unsigned before = o->answers;

        membership_join(o->m, token, &o->w.at, 1, on_answer, o);
        WAIT(&o->w, o->answers == before + 1);
}

static inline void enter(Machine *o)
{
        JoinToken t = token_of(&o->w, "abcdefgh");
        _cleanup_free_ char *text = NULL;

        assert_int_equal(join_token_format(&t, &text), 0);
        join_with(o, text);
        if (o->answer.error < 0)
                fail_msg("%s", o->text);
        WAIT(&o->w, membership_is_connected(o->m));
}

static inline void check_text(const Machine *o, const char *part)
{
        if (!strstr(membership_text(o->m), part))
                fail_msg("\"%s\", without \"%s\"", membership_text(o->m), part);
}

/* Another machine that has the head's authority. */
static inline void twin_init(World *w, const Machine *o, Db *db)
{
        *w = (World){.m = {.authority = o->w.m.authority, .db = db}, .event = o->w.event};
        open_gate(w);
}
