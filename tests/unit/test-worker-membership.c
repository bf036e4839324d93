/* A worker's membership: what becomes of it when the head is restored elsewhere, or moves, and when
 * a disk has no room. */
#include "machine-world.h"

#include <signal.h>
#include <sys/stat.h>

#include "sys/hardware.h"

/* In place of this machine's. */
static Hardware hardware = {.cpus = 8, .memory_bytes = (uint64_t)16 << 30};

Hardware hardware_read(void)
{
        return hardware;
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

/* Its driver is loaded when the machine is a member for long; and while the head is away. */
static void test_late_gpus(void **state)
{
        Machine o;

        machine_init(&o);
        enter(&o);
        WAIT(&o.w, o.w.came == 1);
        assert_int_equal(o.w.facts_gpus, 0);
        hardware.gpus = 2;
        membership_look_again(o.m);
        WAIT(&o.w, o.w.facts_gpus == 2);
        Addr at = o.w.at;
        o.w.gate = gate_free(o.w.gate);
        hardware.gpus = 4;
        open_gate_at(&o.w, &at);
        WAIT(&o.w, o.w.came == 2);
        assert_int_equal(o.w.facts_gpus, 4);
        hardware.gpus = 0;
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

/* Nor does a token: Ray has it at once, and it is written when there is room. */
static void test_token_not_kept(void **state)
{
        char path[80], run[] = "/tmp/test-worker-run-XXXXXX", in_run[80];
        _cleanup_free_ char *kept = NULL, *read = NULL;
        Machine o;

        machine_init(&o);
        assert_non_null(mkdtemp(run));
        assert_int_equal(setenv("RAYCLUSTER_RUN_DIR", run, 1), 0);
        enter(&o);
        WAIT(&o.w, o.tokens == 1);
        (void)snprintf(path, sizeof(path), "%s/ray-token", o.dir);
        (void)snprintf(in_run, sizeof(in_run), "%s/ray-token", run);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(mkdir(path, 0700), 0); /* nothing can take its place */
        assert_int_equal(gate_set_ray_token(o.w.gate, "another"), 0);
        WAIT(&o.w, o.tokens == 2);
        assert_true(read_file(in_run, 1 << 10, &read, NULL) >= 0);
        assert_string_equal(read, "another");
        assert_int_equal(rmdir(path), 0);
        WAIT(&o.w, access(path, F_OK) == 0);
        assert_true(read_file(path, 1 << 10, &kept, NULL) >= 0);
        assert_string_equal(kept, "another");
        assert_int_equal(unlink(in_run), 0);
        assert_int_equal(rmdir(run), 0);
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

/* The head has moved: until it is reached there, this machine is not connected, and says so. */
static void test_moved_while_connected(void **state)
{
        World other;
        Machine o;

        machine_init(&o);
        enter(&o);
        twin_init(&other, &o, o.w.m.db);
        unsigned before = o.changes;
        membership_set_heads(o.m, &other.at, 1, true);
        assert_false(membership_is_connected(o.m));
        check_text(&o, "member, connecting to the head at ");
        assert_int_equal(o.changes, before + 1);
        WAIT(&o.w, membership_is_connected(o.m));
        check_text(&o, "member, connected to the head at ");
        gate_free(other.gate);
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

static void put(const Machine *o, const char *name)
{
        _cleanup_free_ char *path = path_join(o->dir, name);
        assert_int_equal(write_file_atomic(path, "x", 1, 0600, (gid_t)-1), 0);
}

static void drop(const Machine *o, const char *name)
{
        _cleanup_free_ char *path = path_join(o->dir, name);
        assert_int_equal(unlink(path), 0);
}

static bool has(const Machine *o, const char *name)
{
        _cleanup_free_ char *path = path_join(o->dir, name);
        return access(path, F_OK) == 0;
}

/* Only what a head gave to a member goes, when that is none any more: neither before, nor a head's
 * own. */
static void test_tidy(void **state)
{
        Machine o;

        machine_init(&o);
        put(&o, "identity.pem"); /* whatever is in it */
        put(&o, "ray-token");
        put(&o, "head.conf");
        membership_tidy(o.dir);
        assert_true(has(&o, "ray-token") && has(&o, "head.conf"));
        drop(&o, "identity.pem");
        put(&o, "authority.pem");
        membership_tidy(o.dir);
        assert_true(has(&o, "ray-token") && !has(&o, "head.conf"));
        drop(&o, "authority.pem");
        membership_tidy(o.dir);
        assert_false(has(&o, "ray-token"));
        machine_done(&o);
}

/* A machine that was a head has a certificate, and is no member; it becomes one with another key.
 */
static void test_was_head(void **state)
{
        _cleanup_identity_ Identity i = {0};
        uint8_t of_head[PKI_PIN_SIZE], own[PKI_PIN_SIZE];
        Authority *a;
        Machine o;

        machine_init(&o);
        membership_free(o.m);
        a = authority_at(o.dir, now_real(), "127.0.0.1");
        pki_cert_pin(authority_own(a), of_head);
        authority_free(a);
        put(&o, "head.conf"); /* of a head that it was a worker of before */
        membership_tidy(o.dir);
        assert_false(has(&o, "head.conf"));
        machine_start(&o);
        assert_false(membership_is_member(o.m));
        assert_false(membership_is_bound(o.m));
        check_text(&o, "no member of a cluster: this machine was a head");
        enter(&o);
        _cleanup_free_ char *path = path_join(o.dir, "identity.pem");
        assert_int_equal(identity_load(path, &i), 0);
        pki_cert_pin(i.cert, own);
        assert_memory_not_equal(own, of_head, sizeof(own));
        machine_done(&o);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_old_head_refuses),
                cmocka_unit_test(test_late_gpus),
                cmocka_unit_test(test_settings_not_kept),
                cmocka_unit_test(test_token_not_kept),
                cmocka_unit_test(test_found_while_leaving),
                cmocka_unit_test(test_connects_again),
                cmocka_unit_test(test_moved_while_connected),
                cmocka_unit_test(test_member_cannot_join),
                cmocka_unit_test(test_unreadable),
                cmocka_unit_test(test_tidy),
                cmocka_unit_test(test_was_head),
        };
        (void)signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
