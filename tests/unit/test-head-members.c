/* The head's members: the control port opens and closes with what it needs, and with what the gate
 * tells of it. */
#include "gate-world.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "head/members-private.h"
#include "head/ray-tls.h"
#include "ports.h"
#include "role/address.h"

typedef struct Place {
        World w; /* its gate is the members' */
        Members *members;
        Addr address; /* that Ray is told */
        const char *ray_token;
        unsigned ports; /* the first of a block of 8 */
        int lock;
} Place;

static void on_change(Members *m, void *userdata)
{
}

static void on_rotated(Members *m, void *userdata)
{
}

static MembersPolicy policy(const Place *p, uint16_t port)
{
        return (MembersPolicy){.state_dir = p->w.m.dir,
                               .node_id = "headnode",
                               .name = "head",
                               .address = p->address,
                               .cluster = "lab1",
                               .ray_token = p->ray_token,
                               .port = port};
}

static void configure(Place *p, uint16_t port)
{
        const MembersPolicy policy_of = policy(p, port);
        assert_int_equal(members_configure(p->members, &policy_of), 0);
}

static void place_init(Place *p)
{
        static const MembersOps ops = {.on_change = on_change, .on_rotated = on_rotated};

        *p = (Place){.w.m.dir = "/tmp/test-member-XXXXXX", .ray_token = "ray's token"};
        assert_non_null(mkdtemp(p->w.m.dir));
        assert_true(sd_event_new(&p->w.event) >= 0);
        assert_int_equal(members_new(p->w.event, &ops, p, &p->members), 0);
        p->ports = ports_take(PORTS_MEMBERS, 100, 8, 7, &p->lock);
}

static void place_done(Place *p)
{
        members_free(p->members);
        sd_event_unref(p->w.event);
        member_world_done(&p->w.m);
        close(p->lock);
}

static void spin(Place *p, usec_t time)
{
        usec_t end = now_mono() + time;

        while (now_mono() < end)
                assert_true(sd_event_run(p->w.event, 50 * USEC_PER_MSEC) >= 0);
}

static void open_members(Place *p)
{
        p->w.at = member_addr("127.0.0.1");
        p->w.at.port = (uint16_t)p->ports;
        configure(p, p->w.at.port);
        assert_true(members_is_open(p->members));
}

static void join_members(Place *p, Identity *ret)
{
        TokenTerms terms = {.uses = 1, .expires = now_real() + DAY};
        char id[STORE_ID_MAX], *text, *why = NULL;
        JoinToken t;

        assert_int_equal(members_mint(p->members, &terms, id, &text, &why), 0);
        assert_int_equal(join_token_parse(text, &t, &why), 0);
        free(text);
        join(&p->w, &t);
        assert_int_equal(p->w.join.end, JOIN_DONE);
        load(&p->w, ret);
}

static MemberMessage facts_of(const char *boot)
{
        MemberMessage m = {.kind = MEMBER_FACTS};

        str_copy(m.facts.name, sizeof(m.facts.name), "w1");
        str_copy(m.facts.boot_id, sizeof(m.facts.boot_id), boot);
        return m;
}

/* A port that was taken is tried again by itself; but not when another one is open meanwhile. */
static void test_again(void **state)
{
        const MemberMessage facts = facts_of("b1");
        Identity i = {0};
        Place p;
        Raw a;

        place_init(&p);
        uint16_t busy = (uint16_t)(p.ports + 1);
        int fd = port_listen(busy);
        configure(&p, busy);
        assert_false(members_is_open(p.members));
        assert_non_null(strstr(members_text(p.members), "cannot be opened"));
        close(fd);
        WAIT(&p.w, members_is_open(p.members));

        fd = port_listen(++busy);
        configure(&p, busy);
        assert_false(members_is_open(p.members));
        open_members(&p);
        join_members(&p, &i);
        raw_init(&a, &p.w, &i, "127.0.0.1", &facts);
        WAIT(&p.w, a.kinds[MEMBER_WELCOME] == 1);
        spin(&p, 1500 * USEC_PER_MSEC); /* past the first pause */
        assert_true(members_is_open(p.members));
        assert_false(a.down);
        close(fd);
        raw_done(&a);
        identity_done(&i);
        place_done(&p);
}

/* Who has said Hello with the key of a member that has left is looked up again. */
static void test_left(void **state)
{
        const MemberMessage facts = facts_of("b1"), leave = {.kind = MEMBER_LEAVE};
        Identity i = {0};
        Place p;
        Raw a, b;

        place_init(&p);
        open_members(&p);
        join_members(&p, &i);
        raw_init(&a, &p.w, &i, "127.0.0.1", &facts);
        WAIT(&p.w, a.kinds[MEMBER_WELCOME] == 1);
        raw_init(&b, &p.w, &i, "127.0.0.1", NULL);
        WAIT(&p.w, is_introduced(p.members->gate));
        raw_say(&a, &leave);
        WAIT(&p.w, a.down);
        raw_say(&b, &facts);
        WAIT(&p.w, b.kinds[MEMBER_REFUSED] == 1 || b.kinds[MEMBER_WELCOME] == 1);
        assert_int_equal(b.kinds[MEMBER_WELCOME], 0);
        assert_int_equal(b.refused.reason, MEMBER_REFUSAL_IDENTITY);
        raw_done(&a);
        raw_done(&b);
        identity_done(&i);
        place_done(&p);
}

static void sql(Db *db, const char *text)
{
        _cleanup_(db_query_freep) DbQuery *q = NULL;

        assert_int_equal(db_query_new(db, text, &q), 0);
        assert_int_equal(db_query_run(q), 0);
}

static int64_t count(Db *db, const char *text)
{
        _cleanup_(db_query_freep) DbQuery *q = NULL;

        assert_int_equal(db_query_new(db, text, &q), 0);
        assert_int_equal(db_query_step(q), 1);
        return db_int(q, 0);
}

/* All of a member is forgotten, or nothing. */
static void test_forget(void **state)
{
        static const char addresses[] = "SELECT count(*) FROM member_address";
        _cleanup_free_ char *why = NULL, *nothing = NULL;
        Identity i = {0};
        Place p;

        place_init(&p);
        open_members(&p);
        join_members(&p, &i);
        Db *db = members_db(p.members);
        int64_t n = count(db, addresses);
        assert_true(n > 0);
        sql(db, "CREATE TRIGGER full BEFORE DELETE ON member BEGIN SELECT RAISE(ABORT, 'full'); "
                "END");
        assert_true(members_forget(p.members, "w1", &why) < 0);
        assert_non_null(why);
        assert_int_equal(count(db, addresses), n);
        sql(db, "DROP TRIGGER full");
        assert_int_equal(members_forget(p.members, "w1", &nothing), 0);
        assert_int_equal(count(db, addresses), 0);
        assert_int_equal(count(db, "SELECT count(*) FROM member"), 0);
        identity_done(&i);
        place_done(&p);
}

static bool warns(const Place *p, const char *who)
{
        _cleanup_free_ char *text = str_printf(
                "%s, which is out, knows Ray's token: raycluster ray-token --rotate", who);

        return strstr(members_text(p->members), text);
}

static void take_token(Place *p, const char *token)
{
        p->ray_token = token;
        configure(p, p->w.at.port);
}

/* Who is out knows the token of that time; another one takes the warning away, whoever made it. */
static void test_known_token(void **state)
{
        _cleanup_free_ char *why = NULL, *mark = NULL;
        Identity i = {0};
        Place p;

        place_init(&p);
        open_members(&p);
        join_members(&p, &i);
        assert_int_equal(members_revoke(p.members, "w1", &why), 0);
        assert_true(warns(&p, "w1"));
        take_token(&p, "an admin's");
        assert_false(warns(&p, "w1"));
        take_token(&p, "ray's token");
        assert_true(warns(&p, "w1"));
        /* as an earlier version wrote it: of whatever token there is */
        mark = path_join(p.w.m.dir, "ray-token.known-to");
        assert_int_equal(write_file_atomic(mark, "w7", 2, 0600, (gid_t)-1), 0);
        take_token(&p, "an admin's");
        assert_true(warns(&p, "w7"));
        assert_int_equal(members_rotate(p.members, &why), 0);
        assert_int_equal(access(mark, F_OK), -1);
        assert_false(warns(&p, "w7"));
        identity_done(&i);
        place_done(&p);
}

static void on_ray_tls(RayTls *t, void *userdata)
{
}

/* In seconds, when the loop wakes by the clock that goes on while the machine sleeps; -1: never. */
static long long boottime_wakes(World *w)
{
        DIR *d = opendir("/proc/self/fdinfo");
        long long wakes = -1;
        struct dirent *e;

        assert_true(sd_event_run(w->event, 0) >= 0);
        while ((e = readdir(d))) {
                _cleanup_free_ char *path = str_printf("/proc/self/fdinfo/%s", e->d_name);
                _cleanup_free_ char *text = NULL;
                if (read_file(path, 4096, &text, NULL) < 0 || !strstr(text, "clockid: 7\n"))
                        continue;
                const char *value = strstr(text, "it_value: (");
                if (value)
                        wakes = strtoll(value + strlen("it_value: ("), NULL, 10);
        }
        closedir(d);
        return wakes;
}

static void configure_tls(Place *p, RayTls *tls)
{
        const RayTlsPolicy on = {.on = true,
                                 .state_dir = p->w.m.dir,
                                 .node_id = "headnode",
                                 .name = "head",
                                 .address = p->address};
        assert_int_equal(ray_tls_configure(tls, &on), 0);
}

static RayTls *open_tls(Place *p)
{
        static const RayTlsOps ops = {.on_change = on_ray_tls};
        RayTls *tls = NULL;

        assert_int_equal(setenv("RAYCLUSTER_RUN_DIR", p->w.m.dir, 1), 0);
        assert_int_equal(ray_tls_new(p->w.event, &ops, NULL, &tls), 0);
        configure_tls(p, tls);
        assert_null(ray_tls_missing(tls));
        return tls;
}

static void close_tls(Place *p, RayTls *tls)
{
        _cleanup_free_ char *cmd = str_printf("rm -r %s/ray-tls", p->w.m.dir);

        ray_tls_free(tls);
        assert_int_equal(unsetenv("RAYCLUSTER_RUN_DIR"), 0);
        assert_int_equal(system(cmd), 0);
}

/* A clock that was set, or a machine that slept, shows a certificate that is over for an hour. */
static void test_looks(void **state)
{
        Place p;

        place_init(&p);
        assert_in_range(boottime_wakes(&p.w), 3590, 3600);
        p.members = members_free(p.members);
        RayTls *tls = open_tls(&p);
        assert_in_range(boottime_wakes(&p.w), 3590, 3600);
        close_tls(&p, tls);
        place_done(&p);
}

/* From now on the kernel tells this process nothing of addresses. */
static bool block_netlink(void)
{
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOBUFS),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        const struct sock_fprog program = {.len = ELEMENTSOF(code), .filter = code};

        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
               prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static char *contents(const Place *p, const char *name)
{
        _cleanup_free_ char *path = path_join(p->w.m.dir, name);
        char *text = NULL;

        assert_int_equal(read_file(path, 1 << 16, &text, NULL), 0);
        return text;
}

/* Members know the key that is lost: the head is no stranger to them in silence. */
static void test_lost_authority(void **state)
{
        _cleanup_free_ char *path = NULL;
        Identity i = {0};
        Place p;

        place_init(&p);
        open_members(&p);
        join_members(&p, &i);
        path = path_join(p.w.m.dir, "authority.pem");
        assert_int_equal(unlink(path), 0);
        configure(&p, (uint16_t)(p.w.at.port + 1)); /* everything is opened anew */
        assert_false(members_is_open(p.members));
        assert_non_null(strstr(members_text(p.members), "members.db beside it has 1 member of it; "
                                                        "restore it from a backup"));
        assert_int_equal(access(path, F_OK), -1);
        /* a new cluster is somebody's wish */
        _cleanup_free_ char *store = path_join(p.w.m.dir, "members.db");
        assert_int_equal(unlink(store), 0);
        configure(&p, p.w.at.port);
        assert_true(members_is_open(p.members));
        assert_int_equal(access(path, F_OK), 0);
        identity_done(&i);
        place_done(&p);
}

static void assert_names_first(const Place *p, const char *file, const char *address)
{
        _cleanup_free_ char *pem = contents(p, file);
        _cleanup_(pki_cert_freep) PkiCert *cert = NULL;
        char text[ADDR_MAX];
        PkiNames n;

        assert_int_equal(pki_cert_from_pem(pem, strlen(pem), &cert), 0);
        assert_int_equal(pki_cert_names(cert, &n), 0);
        assert_true(n.n_addrs > 0);
        assert_string_equal(addr_format(text, &n.addrs[0]), address);
}

/* Members go to the address that Ray is told only when the head's certificate names it: when it is
 * known, or another one, there is a new certificate. */
static void test_address(void **state)
{
        Place p;

        place_init(&p);
        open_members(&p);
        RayTls *tls = open_tls(&p);
        p.address = member_addr("192.0.2.7");
        configure(&p, p.w.at.port);
        configure_tls(&p, tls);
        assert_names_first(&p, "identity.pem", "192.0.2.7");
        assert_names_first(&p, "ray-tls/cert.pem", "192.0.2.7");
        close_tls(&p, tls);
        place_done(&p);
}

static void go_without_addresses(void)
{
        Place p;

        place_init(&p);
        open_members(&p);
        RayTls *tls = open_tls(&p);
        _cleanup_free_ char *own = contents(&p, "identity.pem");
        _cleanup_free_ char *rays = contents(&p, "ray-tls/cert.pem");
        assert_true(block_netlink());
        configure(&p, p.w.at.port);
        configure_tls(&p, tls);
        assert_true(members_is_open(p.members));
        assert_null(ray_tls_missing(tls));
        configure(&p, (uint16_t)(p.w.at.port + 1)); /* the authority is opened anew */
        assert_non_null(strstr(members_text(p.members), "addresses of this machine"));
        _cleanup_free_ char *own_after = contents(&p, "identity.pem");
        _cleanup_free_ char *rays_after = contents(&p, "ray-tls/cert.pem");
        assert_string_equal(own_after, own);
        assert_string_equal(rays_after, rays);
        close_tls(&p, tls);
        place_done(&p);
}

/* A daemon that starts beside a Ray that runs does not know yet which address that has, and of many
 * not all stand in a certificate: Ray's stays until it is known, also when another is due. */
static void test_address_not_known_yet(void **state)
{
        _cleanup_free_ char *path = NULL;
        Place p;

        place_init(&p);
        p.address = member_addr("192.0.2.7");
        RayTls *tls = open_tls(&p);
        _cleanup_free_ char *first = contents(&p, "ray-tls/cert.pem");
        ray_tls_free(tls);
        path = path_join(p.w.m.dir, "ray-authority.pem");
        assert_int_equal(unlink(path), 0);
        p.address = (Addr){0};
        tls = open_tls(&p);
        _cleanup_free_ char *after = contents(&p, "ray-tls/cert.pem");
        assert_string_equal(after, first);
        p.address = member_addr("192.0.2.7");
        configure_tls(&p, tls);
        _cleanup_free_ char *other = contents(&p, "ray-tls/cert.pem");
        assert_string_not_equal(other, first);
        close_tls(&p, tls);
        place_done(&p);
}

/* Addresses that cannot be read are not none: certificates stay, and none is made. */
static void test_no_addresses(void **state)
{
        _cleanup_free_ char *why = NULL;
        Addr own[PKI_ADDRS_MAX];
        int status = 0;

        /* a certificate of such a machine names none anyway */
        if (address_own(NULL, own, ELEMENTSOF(own), &why) <= 0)
                skip();
        pid_t pid = fork();
        if (pid == 0) { /* what is blocked stays blocked */
                go_without_addresses();
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_again),          cmocka_unit_test(test_left),
                cmocka_unit_test(test_forget),         cmocka_unit_test(test_looks),
                cmocka_unit_test(test_address),        cmocka_unit_test(test_known_token),
                cmocka_unit_test(test_lost_authority), cmocka_unit_test(test_address_not_known_yet),
                cmocka_unit_test(test_no_addresses),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
