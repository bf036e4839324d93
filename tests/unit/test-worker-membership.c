/* A worker's membership on one loop with the gates of its head: what becomes of it when the head is
 * restored elsewhere, has no room on its disk, or moves. */
#include "gate-world.h"

#include <signal.h>
#include <sys/stat.h>

#include "worker/membership.h"

typedef struct Machine {
        World w; /* of the head */
        char dir[32];
        Membership *m;
        unsigned answers, settings, tokens;
        MembershipAnswer answer;
        char text[500];
} Machine;

static void on_change(Membership *m, void *userdata)
{
}

static void on_token(Membership *m, void *userdata)
{
        ((Machine *)userdata)->tokens++;
}

static void on_head_settings(Membership *m, void *userdata)
{
        ((Machine *)userdata)->settings++;
}

static void on_ray_issued(Membership *m, const MemberIssued *issued, void *userdata)
{
}

static void on_ray_refused(Membership *m, const char *why, void *userdata)
{
}

static void on_order(Membership *m, const MemberCommand *c, void *userdata)
{
}

static void on_answer(const MembershipAnswer *a, void *userdata)
{
        Machine *o = userdata;

        o->answers++;
        o->answer = *a;
        str_copy(o->text, sizeof(o->text), strempty(a->text));
}

static void machine_start(Machine *o)
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

static void machine_init(Machine *o)
{
        *o = (Machine){.dir = "/tmp/test-worker-XXXXXX"};
        world_init(&o->w);
        assert_non_null(mkdtemp(o->dir));
        assert_int_equal(setenv("RAYCLUSTER_RUN_DIR", o->dir, 1), 0);
        machine_start(o);
}

static void machine_done(Machine *o)
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
static void join_with(Machine *o, const char *token)
{
        unsigned before = o->answers;

        membership_join(o->m, token, &o->w.at, 1, on_answer, o);
        WAIT(&o->w, o->answers == before + 1);
}

static void enter(Machine *o)
{
        JoinToken t = token_of(&o->w, "abcdefgh");
        _cleanup_free_ char *text = NULL;

        assert_int_equal(join_token_format(&t, &text), 0);
        join_with(o, text);
        if (o->answer.error < 0)
                fail_msg("%s", o->text);
        WAIT(&o->w, membership_is_connected(o->m));
}

static void check_text(const Machine *o, const char *part)
{
        if (!strstr(membership_text(o->m), part))
                fail_msg("\"%s\", without \"%s\"", membership_text(o->m), part);
}

/* Another machine that has the head's authority. */
static void twin_init(World *w, const Machine *o, Db *db)
{
        *w = (World){.m = {.authority = o->w.m.authority, .db = db}, .event = o->w.event};
        open_gate(w);
}

/* The machine that was the head before it was restored elsewhere is on again, and knows nothing of
 * its former members. */
static void test_old_head_refuses(void **state)
{
        Machine o;
        Db *db = NULL;
        World old;

        machine_init(&o);
        enter(&o);
        assert_int_equal(store_open(":memory:", &db), 0);
        twin_init(&old, &o, db);
        Addr heads[] = {old.at, o.w.at}, at = o.w.at;
        membership_set_heads(o.m, heads, 2, false);
        o.w.gate = gate_free(o.w.gate);
        WAIT(&o.w, old.refused >= 2);
        char where[ADDR_PORT_MAX];
        addr_format_port(where, &old.at);
        check_text(&o, where);
        check_text(&o, "does not let this machine in");
        open_gate_at(&o.w, &at);
        WAIT(&o.w, membership_is_connected(o.m));
        gate_free(old.gate);
        db_free(db);
        machine_done(&o);
}

/* The disk of this machine is full, and then it is not: what is not written does not hold, and does
 * not count as known. */
static void test_settings_not_kept(void **state)
{
        static const char text[] = "log: { ray = \"files\"; };\n";
        _cleanup_free_ char *kept = NULL;
        char path[80];
        Machine o;

        machine_init(&o);
        enter(&o);
        (void)snprintf(path, sizeof(path), "%s/head.conf", o.dir);
        assert_int_equal(mkdir(path, 0700), 0); /* nothing can take its place */
        assert_int_equal(gate_set_settings(o.w.gate, text), 0);
        WAIT(&o.w, membership_settings(o.m));
        assert_int_equal(o.settings, 0);
        assert_int_equal(rmdir(path), 0);
        Addr at = o.w.at;
        o.w.gate = gate_free(o.w.gate);
        open_gate_at(&o.w, &at);
        assert_int_equal(gate_set_settings(o.w.gate, text), 0);
        WAIT(&o.w, o.settings == 1);
        assert_true(read_file(path, 1 << 10, &kept, NULL) >= 0);
        assert_string_equal(kept, text);
        machine_done(&o);
}

static void run_sql(Db *db, const char *text)
{
        _cleanup_(db_query_freep) DbQuery *q = NULL;

        assert_int_equal(db_query_new(db, text, &q), 0);
        assert_true(db_query_run(q) >= 0);
}

/* The disk of the head is full, and then it is not. */
static void test_head_cannot_note_it(void **state)
{
        Machine o;
        World other;

        machine_init(&o);
        run_sql(o.w.m.db, "ALTER TABLE verdict RENAME TO away");
        membership_ask(o.m);
        membership_set_heads(o.m, &o.w.at, 1, false);
        WAIT(&o.w, strstr(membership_text(o.m), "the head cannot write it down"));
        check_text(&o, "not a member yet: ");
        run_sql(o.w.m.db, "ALTER TABLE away RENAME TO verdict");
        /* which is in a quarter of a minute, or when another address of it is found */
        twin_init(&other, &o, o.w.m.db);
        membership_set_heads(o.m, &other.at, 1, false);
        WAIT(&o.w, other.pending == 1);
        gate_free(other.gate);
        machine_done(&o);
}

/* A head that cannot take it, before one that can, keeps it from that one neither for ever nor for
 * as long as the first one wants to be left alone. */
static void test_first_head_refuses(void **state)
{
        World busy = {0};
        Machine o;

        machine_init(&o);
        member_world_init(&busy.m, now_real());
        busy.event = sd_event_ref(o.w.event);
        open_gate(&busy);
        run_sql(busy.m.db, "ALTER TABLE verdict RENAME TO away");
        Addr heads[] = {busy.at, o.w.at};
        membership_ask(o.m);
        membership_set_heads(o.m, heads, 2, false);
        WAIT(&o.w, strstr(membership_text(o.m), "has to approve"));
        assert_int_equal(busy.refusal.reason, MEMBER_REFUSAL_STORE);
        world_done(&busy);
        machine_done(&o);
}

/* What the one head says is told, not that there is none at the other address. */
static void test_refusal_goes_before(void **state)
{
        Machine o;

        machine_init(&o);
        run_sql(o.w.m.db, "ALTER TABLE verdict RENAME TO away");
        Addr heads[] = {o.w.at, o.w.at};
        heads[1].port = 1;
        membership_join(o.m, NULL, heads, 2, on_answer, &o);
        WAIT(&o.w, o.answers == 1);
        assert_int_equal(o.answer.error, -ECONNREFUSED);
        assert_non_null(strstr(o.text, "the head cannot write it down"));
        machine_done(&o);
}

/* It asked at an address that somebody gave, and nothing finds it there: after a restart it asks
 * there again. */
static void test_waits_over_restart(void **state)
{
        Machine o;

        machine_init(&o);
        join_with(&o, NULL);
        assert_int_equal(o.answer.error, 0);
        membership_free(o.m);
        assert_int_equal(gate_approve(o.w.gate, "w1"), 1);
        machine_start(&o);
        WAIT(&o.w, membership_is_connected(o.m));
        machine_done(&o);
}

/* Another machine has the name, by another key: with a token, too, an admin has to say a word. */
static void wait_for_name(Machine *o)
{
        JoinToken t = token_of(&o->w, "abcdefgh");
        _cleanup_free_ char *text = NULL;
        GatePending p;

        join(&o->w, &t);
        assert_int_equal(o->w.join.end, JOIN_DONE);
        assert_int_equal(join_token_format(&t, &text), 0);
        join_with(o, text);
        assert_int_equal(o->answer.error, 0);
        check_text(o, "has to approve");
        assert_true(gate_pending(o->w.gate, 0, &p));
        assert_string_equal(p.takes, "w1");
}

/* The token ends before the admin says his word, which is for the key. */
static void test_token_ends_while_waiting(void **state)
{
        TokenRow token;
        World other;
        Machine o;

        machine_init(&o);
        wait_for_name(&o);
        assert_int_equal(tokens_revoke(o.w.m.db, "abcdefgh"), 1);
        assert_int_equal(gate_approve(o.w.gate, "w1"), 1);
        twin_init(&other, &o, o.w.m.db);
        membership_set_heads(o.m, &other.at, 1, false); /* it asks now */
        WAIT(&o.w, membership_is_connected(o.m));
        assert_int_equal(tokens_find(o.w.m.db, "abcdefgh", &token), 1);
        assert_int_equal(token.left, 2); /* the other machine's */
        gate_free(other.gate);
        machine_done(&o);
}

/* So that it waits on after a restart, which has forgotten the token. */
static void test_waits_with_token_over_restart(void **state)
{
        Machine o;

        machine_init(&o);
        wait_for_name(&o);
        membership_free(o.m);
        assert_int_equal(gate_approve(o.w.gate, "w1"), 1);
        machine_start(&o);
        WAIT(&o.w, membership_is_connected(o.m));
        machine_done(&o);
}

/* While it waits the head comes to be elsewhere, which discovery finds; so does another head, which
 * is not asked. */
static void test_head_moves(void **state)
{
        World moved, other = {0};
        Machine o;

        machine_init(&o);
        membership_ask(o.m);
        membership_set_heads(o.m, &o.w.at, 1, false);
        WAIT(&o.w, strstr(membership_text(o.m), "has to approve"));
        o.w.gate = gate_free(o.w.gate);
        member_world_init(&other.m, now_real());
        other.event = sd_event_ref(o.w.event);
        open_gate(&other);
        twin_init(&moved, &o, o.w.m.db);
        Addr heads[] = {other.at, moved.at};
        membership_set_heads(o.m, heads, 2, false);
        WAIT(&o.w, moved.pending == 1);
        assert_int_equal(other.pending, 0);
        gate_free(moved.gate);
        world_done(&other);
        machine_done(&o);
}

/* A token that is none costs a machine that waits nothing. */
static void test_no_token_while_waiting(void **state)
{
        World other;
        Machine o;

        machine_init(&o);
        join_with(&o, NULL);
        assert_int_equal(o.answer.error, 0);
        join_with(&o, "rc1-typo");
        assert_int_equal(o.answer.error, -EINVAL);
        check_text(&o, "not a member yet: ");
        assert_int_equal(gate_approve(o.w.gate, "w1"), 1);
        twin_init(&other, &o, o.w.m.db);
        membership_set_heads(o.m, &other.at, 1, false);
        WAIT(&o.w, membership_is_connected(o.m));
        gate_free(other.gate);
        machine_done(&o);
}

/* Nor does one that has ended, or a head that is not there. */
static void test_join_fails_while_waiting(void **state)
{
        JoinToken t;
        _cleanup_free_ char *text = NULL;
        Machine o;

        machine_init(&o);
        join_with(&o, NULL);
        assert_int_equal(o.answer.error, 0);
        t = token_of(&o.w, "abcdefgh");
        assert_int_equal(tokens_revoke(o.w.m.db, "abcdefgh"), 1);
        assert_int_equal(join_token_format(&t, &text), 0);
        join_with(&o, text);
        assert_int_equal(o.answer.error, -ECONNREFUSED);
        assert_non_null(strstr(o.text, "the token was revoked"));
        WAIT(&o.w, strstr(membership_text(o.m), "has to approve"));
        assert_int_equal(gate_approve(o.w.gate, "w1"), 1);
        Addr nowhere = o.w.at;
        nowhere.port = 1;
        unsigned before = o.answers;
        membership_join(o.m, NULL, &nowhere, 1, on_answer, &o);
        WAIT(&o.w, o.answers == before + 1);
        assert_int_equal(o.answer.error, -ECONNREFUSED);
        WAIT(&o.w, membership_is_connected(o.m));
        machine_done(&o);
}

/* Denied, it asks no more, whatever it did before. */
static void test_denied_is_last(void **state)
{
        Machine o;

        machine_init(&o);
        join_with(&o, NULL);
        assert_int_equal(gate_deny(o.w.gate, "w1"), 1);
        join_with(&o, NULL);
        assert_int_equal(o.answer.error, -ECONNREFUSED);
        check_text(&o, "no member of a cluster: an admin of the head has denied");
        membership_leave(o.m, on_answer, &o);
        assert_int_equal(o.answer.error, -ENOENT);
        machine_done(&o);
}

/* Discovery finds another address while the head hears that the machine leaves. */
static void test_found_while_leaving(void **state)
{
        Machine o;

        machine_init(&o);
        enter(&o);
        Addr other = o.w.at;
        other.port = 1;
        unsigned before = o.answers;
        membership_leave(o.m, on_answer, &o);
        membership_set_heads(o.m, &other, 1, true);
        WAIT(&o.w, o.answers == before + 1);
        assert_int_equal(o.answer.error, 0);
        assert_false(membership_is_member(o.m));
        assert_int_equal(o.w.left, 1);
        machine_done(&o);
}

/* The identity cannot be read for a moment, and just then the head moves. */
static void test_connects_again(void **state)
{
        char path[80], away[80];
        World other;
        Machine o;

        machine_init(&o);
        enter(&o);
        twin_init(&other, &o, o.w.m.db);
        (void)snprintf(path, sizeof(path), "%s/identity.pem", o.dir);
        (void)snprintf(away, sizeof(away), "%s/away", o.dir);
        assert_int_equal(rename(path, away), 0);
        membership_set_heads(o.m, &other.at, 1, true);
        check_text(&o, "member, but cannot go by ");
        assert_int_equal(rename(away, path), 0);
        membership_set_heads(o.m, &other.at, 1, true);
        WAIT(&o.w, membership_is_connected(o.m));
        gate_free(other.gate);
        machine_done(&o);
}

/* Ray, which somebody may run without a membership, is none of the business of who only waited. */
static void test_leave_while_waiting(void **state)
{
        Machine o;

        machine_init(&o);
        join_with(&o, NULL);
        membership_leave(o.m, on_answer, &o);
        assert_int_equal(o.answer.error, 0);
        check_text(&o, "no member of a cluster: this machine has left");
        assert_int_equal(o.tokens, 0);
        machine_done(&o);
}

/* A member stays one when it cannot join elsewhere. */
static void test_member_cannot_join(void **state)
{
        JoinToken t;
        _cleanup_free_ char *text = NULL;
        Machine o;

        machine_init(&o);
        enter(&o);
        o.w.gate = gate_free(o.w.gate);
        WAIT(&o.w, !membership_is_connected(o.m));
        t = token_of(&o.w, "abcdefgh");
        assert_int_equal(join_token_format(&t, &text), 0);
        join_with(&o, text);
        assert_true(o.answer.error < 0);
        check_text(&o, "member, not connected");
        machine_done(&o);
}

/* What cannot be read may be whole. */
static void test_unreadable(void **state)
{
        char path[80];
        Machine o;

        machine_init(&o);
        (void)snprintf(path, sizeof(path), "%s/identity.pem", o.dir);
        membership_free(o.m);
        assert_int_equal(write_file_atomic(path, "x", 1, 0600, (gid_t)-1), 0);
        machine_start(&o);
        check_text(&o, "is damaged (Bad message): remove it");
        membership_free(o.m);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(mkdir(path, 0700), 0);
        machine_start(&o);
        check_text(&o, "cannot be read (Is a directory)");
        assert_true(membership_is_bound(o.m));
        assert_int_equal(rmdir(path), 0);
        machine_done(&o);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_old_head_refuses),
                cmocka_unit_test(test_settings_not_kept),
                cmocka_unit_test(test_head_cannot_note_it),
                cmocka_unit_test(test_first_head_refuses),
                cmocka_unit_test(test_refusal_goes_before),
                cmocka_unit_test(test_waits_over_restart),
                cmocka_unit_test(test_token_ends_while_waiting),
                cmocka_unit_test(test_waits_with_token_over_restart),
                cmocka_unit_test(test_head_moves),
                cmocka_unit_test(test_no_token_while_waiting),
                cmocka_unit_test(test_join_fails_while_waiting),
                cmocka_unit_test(test_denied_is_last),
                cmocka_unit_test(test_found_while_leaving),
                cmocka_unit_test(test_connects_again),
                cmocka_unit_test(test_leave_while_waiting),
                cmocka_unit_test(test_member_cannot_join),
                cmocka_unit_test(test_unreadable),
        };
        (void)signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
