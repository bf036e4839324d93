/* A head's state gathered, sealed, and restored on another machine: whole or not at all, and its
 * members follow. */
#include "member-world.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/strv.h"
#include "member/gate.h"
#include "member/identity.h"
#include "member/link.h"
#include "member/restore.h"
#include "role/token.h"
#include "sys/seal.h"

#define NOW   ((usec_t)1764000000 * USEC_PER_SEC)
#define BOUND (20 * USEC_PER_SEC)

typedef struct World {
        char top[40], state[64], other[64], conf[64], conf_dir[64];
        Authority *authority; /* of the head at `state` */
        Db *db;
        usec_t now;
} World;

static void put(const char *dir, const char *name, const char *text)
{
        _cleanup_free_ char *path = path_join(dir, name);
        assert_int_equal(write_file_atomic(path, text, strlen(text), 0600, (gid_t)-1), 0);
}

static void world_init_at(World *w, usec_t now)
{
        *w = (World){.top = "/tmp/test-backup-XXXXXX", .now = now};
        assert_non_null(mkdtemp(w->top));
        (void)snprintf(w->state, sizeof(w->state), "%s/state", w->top);
        (void)snprintf(w->other, sizeof(w->other), "%s/other", w->top);
        (void)snprintf(w->conf, sizeof(w->conf), "%s/raycluster.conf", w->top);
        (void)snprintf(w->conf_dir, sizeof(w->conf_dir), "%s/raycluster.conf.d", w->top);
        assert_int_equal(mkdir(w->state, 0700), 0);
        assert_int_equal(mkdir(w->conf_dir, 0755), 0);
        w->authority = authority_at(w->state, now, "127.0.0.1");
        _cleanup_free_ char *store = path_join(w->state, BACKUP_STORE);
        assert_int_equal(store_open(store, &w->db), 0);
        put(w->state, BACKUP_RAY_TOKEN, "ray's token\n");
        put(w->state, "last-known-head", "not of it");
        put(w->top, "raycluster.conf", "cluster: { name = \"lab\"; };\n");
        put(w->conf_dir, "50-site.conf", "log: { level = \"debug\"; };\n");
        put(w->conf_dir, "README", "not of it");
}

static void world_init(World *w)
{
        world_init_at(w, NOW);
}

static void world_done(World *w)
{
        _cleanup_free_ char *rm = str_printf("rm -r '%s'", w->top);

        db_free(w->db);
        authority_free(w->authority);
        assert_int_equal(system(rm), 0);
}

static BackupPaths paths(const World *w)
{
        return (BackupPaths){
                .state = w->state, .conf_file = w->conf, .conf_dir = w->conf_dir, .node = "head1"};
}

static void make(const World *w, Buf *ret)
{
        char *error = NULL;
        BackupPaths p = paths(w);

        ret->limit = BACKUP_MAX;
        if (backup_make(&p, w->now, ret, &error) < 0)
                fail_msg("%s", strempty(error));
}

static void read_back(const Buf *bytes, Backup *ret)
{
        char *error = NULL;

        if (backup_read(buf_data(bytes), buf_size(bytes), ret, &error) < 0)
                fail_msg("%s", strempty(error));
}

static void restore(const World *w, const Backup *b, const char *dir, bool force, char **ret_old)
{
        char *error = NULL;

        *ret_old = NULL;
        if (restore_state(b, dir, force, getuid(), getgid(), w->now, ret_old, &error) < 0)
                fail_msg("%s", strempty(error));
}

static char *text_of(const char *dir, const char *name)
{
        _cleanup_free_ char *path = path_join(dir, name);
        char *text = NULL;

        return read_file(path, 1 << 20, &text, NULL) < 0 ? NULL : text;
}

static void assert_text(const char *dir, const char *name, const char *want)
{
        _cleanup_free_ char *text = text_of(dir, name);
        assert_non_null(text);
        assert_string_equal(text, want);
}

/* Names in a directory, in their order, joined by blanks. */
static char *list_of(const char *dir)
{
        _cleanup_strv_free_ char **names = NULL;
        struct dirent **list = NULL;

        int n = scandir(dir, &list, NULL, alphasort);
        for (int i = 0; i < n; i++) {
                if (list[i]->d_name[0] != '.')
                        assert_int_equal(strv_extend(&names, list[i]->d_name), 0);
                free(list[i]);
        }
        free(list);
        return strv_join(names, " ");
}

static void assert_list(const char *dir, const char *want)
{
        _cleanup_free_ char *got = list_of(dir);
        assert_string_equal(got, want);
}

static MemberRow member(const char *node)
{
        MemberRow m = {.pin = {node[1]}, .enrolled = NOW, .not_after = NOW + DAY};
        str_copy(m.node, sizeof(m.node), node);
        str_copy(m.name, sizeof(m.name), node);
        return m;
}

static void test_gathered(void **state)
{
        _cleanup_buf_ Buf bytes = {0};
        uint8_t pin[PKI_PIN_SIZE];
        Backup b;
        World w;

        world_init(&w);
        make(&w, &bytes);
        read_back(&bytes, &b);
        pki_cert_pin(authority_cert(w.authority), pin);
        assert_memory_equal(b.pin, pin, sizeof(pin));
        assert_string_equal(b.cluster, authority_cluster(w.authority));
        assert_string_equal(b.node, "head1");
        assert_string_equal(b.software, RAYCLUSTER_VERSION);
        assert_true(b.created == NOW);
        assert_int_equal(b.n_files, 6);
        const char *const want[] = {BACKUP_AUTHORITY, BACKUP_IDENTITY,
                                    BACKUP_STORE,     BACKUP_RAY_TOKEN,
                                    BACKUP_CONF,      BACKUP_CONF_DIR "/50-site.conf"};
        for (size_t i = 0; i < ELEMENTSOF(want); i++)
                assert_string_equal(b.files[i].name, want[i]);
        world_done(&w);
}

static void refuse_make(const World *w, int want, const char *words)
{
        _cleanup_buf_ Buf bytes = {.limit = BACKUP_MAX};
        _cleanup_free_ char *error = NULL;
        BackupPaths p = paths(w);

        assert_int_equal(backup_make(&p, w->now, &bytes, &error), want);
        if (!error || !strstr(error, words))
                fail_msg("\"%s\" is not in: %s", words, strempty(error));
        assert_int_equal(buf_size(&bytes), 0);
}

static void test_not_gathered(void **state)
{
        char name[100];
        World w;

        world_init(&w);
        put(w.conf_dir, "a b.conf", "");
        refuse_make(&w, -EINVAL, "a b.conf: a backup takes names");
        (void)snprintf(name, sizeof(name), "%s/a b.conf", w.conf_dir);
        assert_int_equal(unlink(name), 0);
        for (unsigned i = 0; i < BACKUP_FILES_MAX; i++) {
                (void)snprintf(name, sizeof(name), "%02u.conf", i);
                put(w.conf_dir, name, "");
        }
        refuse_make(&w, -E2BIG, "too many files of settings");
        world_done(&w);

        world_init(&w);
        put(w.state, BACKUP_RAY_AUTHORITY, "no key");
        refuse_make(&w, -EBADMSG, "ray-authority.pem: is damaged");
        put(w.state, BACKUP_AUTHORITY, "no key");
        refuse_make(&w, -EBADMSG, "authority.pem: is damaged");
        (void)snprintf(name, sizeof(name), "%s/" BACKUP_AUTHORITY, w.state);
        assert_int_equal(unlink(name), 0);
        refuse_make(&w, -ENOENT, "systemctl start ray-head");
        world_done(&w);
}

/* The daemon writes on while it is made. */
static void test_live(void **state)
{
        _cleanup_(db_freep) Db *copy = NULL;
        _cleanup_buf_ Buf bytes = {0};
        _cleanup_free_ char *old = NULL, *store = NULL;
        MemberRow first = member("n1"), second = member("n2"), got;
        Backup b;
        World w;

        world_init(&w);
        assert_int_equal(roster_put(w.db, &first), 0);
        assert_int_equal(db_begin(w.db), 0);
        assert_int_equal(roster_put(w.db, &second), 0);
        make(&w, &bytes);
        assert_int_equal(db_commit(w.db), 0);
        read_back(&bytes, &b);
        restore(&w, &b, w.other, false, &old);
        store = path_join(w.other, BACKUP_STORE);
        assert_int_equal(store_open(store, &copy), 0);
        assert_int_equal(roster_find_node(copy, "n1", &got), 1);
        assert_int_equal(roster_find_node(copy, "n2", &got), 0);
        assert_int_equal(roster_find_node(w.db, "n2", &got), 1);
        world_done(&w);
}

static void test_restored(void **state)
{
        _cleanup_buf_ Buf bytes = {0};
        _cleanup_free_ char *old = NULL, *again = NULL, *was = NULL, *is = NULL;
        struct stat st;
        char name[100];
        Backup b;
        World w;

        world_init(&w);
        make(&w, &bytes);
        read_back(&bytes, &b);
        restore(&w, &b, w.other, false, &old); /* where nothing is */
        assert_null(old);
        assert_list(w.other, "authority.pem identity.pem members.db ray-token");
        assert_int_equal(stat(w.other, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
        (void)snprintf(name, sizeof(name), "%s/" BACKUP_AUTHORITY, w.other);
        assert_int_equal(stat(name, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        was = text_of(w.state, BACKUP_AUTHORITY);
        is = text_of(w.other, BACKUP_AUTHORITY);
        assert_string_equal(was, is);
        assert_text(w.other, BACKUP_RAY_TOKEN, "ray's token\n");

        /* where a head or a member is: only when it is said, and it is kept */
        char *error = NULL;
        assert_int_equal(restore_state(&b, w.other, false, getuid(), getgid(), NOW, &again, &error),
                         -EEXIST);
        assert_non_null(strstr(error, "--force"));
        free(error);
        put(w.other, BACKUP_RAY_TOKEN, "another\n");
        restore(&w, &b, w.other, true, &again);
        assert_non_null(again);
        assert_true(endswith(again, "/other.old-20251124T160000Z"));
        assert_text(w.other, BACKUP_RAY_TOKEN, "ray's token\n");
        assert_text(again, BACKUP_RAY_TOKEN, "another\n");
        assert_list(w.top, "other other.old-20251124T160000Z raycluster.conf raycluster.conf.d "
                           "state");
        world_done(&w);
}

/* That a machine which is out knows Ray's token is not forgotten with the old head. */
static void test_mark(void **state)
{
        _cleanup_buf_ Buf bytes = {0};
        _cleanup_free_ char *old = NULL, *who = NULL;
        Backup b;
        World w;

        world_init(&w);
        assert_int_equal(token_mark(w.state, "w1", "ray's token"), 0);
        make(&w, &bytes);
        read_back(&bytes, &b);
        restore(&w, &b, w.other, false, &old);
        who = token_marked(w.other, "ray's token");
        assert_non_null(who);
        assert_string_equal(who, "w1");
        world_done(&w);
}

/* Files that are no identity are kept beside; an empty directory is nobody's loss. */
static void test_restored_over(void **state)
{
        _cleanup_buf_ Buf bytes = {0};
        _cleanup_free_ char *old = NULL, *none = NULL;
        struct stat st;
        char name[100];
        Backup b;
        World w;

        world_init(&w);
        make(&w, &bytes);
        read_back(&bytes, &b);
        assert_int_equal(mkdir(w.other, 0750), 0);
        if (geteuid() == 0)
                assert_int_equal(chown(w.other, 1234, 2345), 0);
        restore(&w, &b, w.other, false, &none);
        assert_null(none);
        (void)snprintf(name, sizeof(name), "%s/" BACKUP_STORE, w.other);
        assert_int_equal(stat(name, &st), 0);
        if (geteuid() == 0) {
                assert_int_equal(st.st_uid, 1234);
                assert_int_equal(st.st_gid, 2345);
        }
        (void)snprintf(name, sizeof(name), "rm '%s'/*", w.other);
        assert_int_equal(system(name), 0);
        put(w.other, "last-known-head", "here");
        restore(&w, &b, w.other, false, &old);
        assert_text(old, "last-known-head", "here");
        assert_list(w.other, "authority.pem identity.pem members.db ray-token");
        world_done(&w);
}

/* A disk that takes no more half-way: everything is as it was. */
static void test_full_disk(void **state)
{
        struct rlimit before, little = {.rlim_cur = 4 << 10}; /* the store has more */
        _cleanup_buf_ Buf bytes = {0};
        _cleanup_free_ char *old = NULL, *error = NULL;
        Backup b;
        World w;

        world_init(&w);
        make(&w, &bytes);
        read_back(&bytes, &b);
        assert_true(backup_find(&b, BACKUP_STORE)->size > little.rlim_cur);
        assert_int_equal(mkdir(w.other, 0700), 0);
        put(w.other, BACKUP_AUTHORITY, "mine");
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
        little.rlim_max = before.rlim_max;
        (void)signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
        int r = restore_state(&b, w.other, true, getuid(), getgid(), NOW, &old, &error);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(r, -EFBIG);
        assert_non_null(strstr(error, BACKUP_STORE));
        assert_null(old);
        assert_list(w.other, "authority.pem");
        assert_text(w.other, BACKUP_AUTHORITY, "mine");
        assert_list(w.top, "other raycluster.conf raycluster.conf.d state");
        world_done(&w);
}

/* --- what is not trusted */

static void refuse_read(const Backup *b, int want, const char *words)
{
        _cleanup_buf_ Buf bytes = {.limit = BACKUP_MAX};
        _cleanup_free_ char *error = NULL;
        Backup got;

        assert_int_equal(backup_encode(b, &bytes), 0);
        assert_int_equal(backup_read(buf_data(&bytes), buf_size(&bytes), &got, &error), want);
        if (!error || !strstr(error, words))
                fail_msg("\"%s\" is not in: %s", words, strempty(error));
}

static BackupFile *file(Backup *b, const char *name)
{
        return (BackupFile *)backup_find(b, name);
}

static void test_wrong_contents(void **state)
{
        _cleanup_free_ uint8_t *store = NULL;
        _cleanup_buf_ Buf bytes = {0};
        BackupFile *f;
        Backup b, x;
        World w, v;

        world_init(&w);
        world_init(&v); /* another cluster */
        make(&w, &bytes);
        read_back(&bytes, &b);
        x = b;
        x.pin[7] ^= 1;
        refuse_read(&x, -EBADMSG, "authority.pem: is not the one");
        x = b;
        x.cluster[0] ^= 1;
        refuse_read(&x, -EBADMSG, "authority.pem: is not the one");
        x = b; /* a node's certificate is no authority's */
        f = file(&x, BACKUP_AUTHORITY);
        f->data = file(&x, BACKUP_IDENTITY)->data;
        f->size = file(&x, BACKUP_IDENTITY)->size;
        refuse_read(&x, -EBADMSG, "authority.pem: is damaged");
        _cleanup_free_ char *foreign = text_of(v.state, BACKUP_AUTHORITY);
        x = b;
        f = file(&x, BACKUP_AUTHORITY);
        f->data = (uint8_t *)foreign;
        f->size = strlen(foreign);
        refuse_read(&x, -EBADMSG, "authority.pem: is not the one");
        x = b;
        file(&x, BACKUP_IDENTITY)->size = 100;
        refuse_read(&x, -EBADMSG, "identity.pem: is damaged");
        x = b;
        file(&x, BACKUP_STORE)->size -= 4096;
        refuse_read(&x, -EBADMSG, "members.db: is damaged");
        x = b;
        f = file(&x, BACKUP_STORE);
        store = malloc(f->size);
        memcpy(store, f->data, f->size);
        store[63] = 99; /* PRAGMA user_version */
        f->data = store;
        refuse_read(&x, -EPROTONOSUPPORT, "later raycluster");
        x = b;
        str_copy(file(&x, BACKUP_STORE)->name, BACKUP_NAME_MAX, BACKUP_CONF_DIR "/x.conf");
        refuse_read(&x, -EBADMSG, "members.db: is missing");
        world_done(&v);
        world_done(&w);
}

static void test_settings(void **state)
{
        _cleanup_strv_free_ char **beside = NULL, **place = NULL, **none = NULL;
        _cleanup_buf_ Buf bytes = {0};
        char *error = NULL, dir[64], name[100];
        Backup b;
        World w;

        world_init(&w);
        make(&w, &bytes);
        read_back(&bytes, &b);
        assert_int_equal(restore_settings(&b, w.conf, w.conf_dir, false, NOW, &none, &error), 0);
        assert_null(none); /* all is so already */
        put(w.top, "raycluster.conf", "mine");
        assert_int_equal(chmod(w.conf, 0640), 0);
        (void)snprintf(dir, sizeof(dir), "%s/new.d", w.top);
        assert_int_equal(restore_settings(&b, w.conf, dir, false, NOW, &beside, &error), 0);
        assert_int_equal(strv_length(beside), 2);
        assert_text(w.top, "raycluster.conf", "mine");
        assert_text(w.top, "raycluster.conf.restored", "cluster: { name = \"lab\"; };\n");
        assert_list(dir, "50-site.conf.restored"); /* which is not read: it does not end so */
        assert_int_equal(restore_settings(&b, w.conf, dir, true, NOW, &place, &error), 0);
        assert_int_equal(strv_length(place), 2);
        assert_text(w.top, "raycluster.conf", "cluster: { name = \"lab\"; };\n");
        assert_text(w.top, "raycluster.conf.old-20251124T160000Z", "mine");
        assert_text(dir, "50-site.conf", "log: { level = \"debug\"; };\n");
        struct stat st;
        assert_int_equal(stat(w.conf, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        (void)snprintf(name, sizeof(name), "%s.restored", w.conf);
        assert_int_equal(stat(name, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        (void)snprintf(name, sizeof(name), "%s/50-site.conf", dir);
        assert_int_equal(stat(name, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0644);
        world_done(&w);
}

/* --- another machine */

static void on_welcome(MemberLink *l, const MemberWelcome *m, void *userdata)
{
        (*(unsigned *)userdata)++;
}

static void on_refused(MemberLink *l, const MemberRefused *r, void *userdata)
{
        fail_msg("refused: %s", r->text);
}

static void on_link_lost(MemberLink *l, const char *why, void *userdata)
{
        fail_msg("lost: %s", why);
}

static void on_member(Gate *g, const GateMember *m, void *userdata)
{
}
static void on_gate_lost(Gate *g, const GateMember *m, GateLoss why, void *userdata)
{
}

static int listen_on(Addr *ret)
{
        SockAddr sa;
        Addr any = member_addr("127.0.0.1");
        socklen_t len = addr_to_sockaddr(&any, &sa);

        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(fd, &sa.sa, len), 0);
        assert_int_equal(listen(fd, 16), 0);
        len = sizeof(sa);
        assert_int_equal(getsockname(fd, &sa.sa, &len), 0);
        assert_int_equal(addr_from_sockaddr(&sa.sa, len, ret), 0);
        return fd;
}

/* A member of the old head: its identity, and its row in the roster. */
static TlsParty *enrol(World *w)
{
        _cleanup_(pki_request_freep) PkiRequest *request = NULL;
        _cleanup_buf_ Buf csr = {0}, der = {0};
        _cleanup_identity_ Identity i = {0};
        PkiNames names = {.role = PKI_WORKER, .node = "workernode", .name = "w1"};
        MemberRow row = {.node = "workernode",
                         .name = "w1",
                         .enrolled = w->now,
                         .not_after = w->now + CERT_LIFE};
        TlsParty *party = NULL;

        assert_int_equal(pki_key_new(&i.key), 0);
        assert_int_equal(pki_request_new(i.key, "w1", &csr), 0);
        assert_int_equal(pki_request_read(buf_data(&csr), buf_size(&csr), &request), 0);
        assert_int_equal(authority_issue(w->authority, request, &names, w->now, &i.cert), 0);
        assert_int_equal(pki_cert_to_der(authority_cert(w->authority), &der), 0);
        assert_int_equal(pki_cert_from_der(buf_data(&der), buf_size(&der), &i.cas[0]), 0);
        i.n_cas = 1;
        pki_cert_pin(i.cert, row.pin);
        assert_int_equal(roster_put(w->db, &row), 0);
        assert_int_equal(identity_party(&i, &party), 0);
        return party;
}

static Authority *open_elsewhere(const char *dir, usec_t now)
{
        Addr own = member_addr("127.0.0.1");
        AuthorityPolicy p = {
                .dir = dir, .node = "othernode", .name = "head2", .addrs = &own, .n_addrs = 1};
        Authority *a = NULL;
        char *error = NULL;

        if (authority_open(&p, now, &a, &error) < 0)
                fail_msg("%s", strempty(error));
        return a;
}

/* The old head is gone, another machine has its state: the member has its old certificate, no
 * token, and is in. */
static void test_members_follow(void **state)
{
        static const GateOps gate_ops = {.on_member = on_member, .on_lost = on_gate_lost};
        static const MemberLinkOps link_ops = {
                .on_welcome = on_welcome, .on_lost = on_link_lost, .on_refused = on_refused};
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(tls_party_unrefp) TlsParty *party = NULL;
        _cleanup_(authority_freep) Authority *authority = NULL;
        _cleanup_(db_freep) Db *db = NULL;
        _cleanup_(gate_freep) Gate *gate = NULL;
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_buf_ Buf bytes = {0};
        _cleanup_free_ char *old = NULL, *store = NULL;
        unsigned welcomes = 0;
        PkiNames names;
        Backup b;
        Addr at;
        World w;

        world_init_at(&w, now_real());
        party = enrol(&w);
        make(&w, &bytes);
        read_back(&bytes, &b);
        restore(&w, &b, w.other, false, &old);
        store = path_join(w.other, BACKUP_STORE);
        authority = open_elsewhere(w.other, w.now);
        assert_int_equal(store_open(store, &db), 0);

        /* the same cluster, the same authority, a certificate of this machine */
        uint8_t was[PKI_PIN_SIZE], is[PKI_PIN_SIZE];
        assert_string_equal(authority_cluster(authority), authority_cluster(w.authority));
        pki_cert_pin(authority_cert(w.authority), was);
        pki_cert_pin(authority_cert(authority), is);
        assert_memory_equal(was, is, sizeof(was));
        assert_int_equal(pki_cert_names(authority_own(authority), &names), 0);
        assert_string_equal(names.node, "othernode");
        assert_string_equal(names.name, "head2");

        assert_true(sd_event_new(&event) >= 0);
        GatePolicy gate_policy = {.authority = authority, .db = db, .cluster = "lab1"};
        assert_int_equal(gate_new(event, listen_on(&at), &gate_policy, &gate_ops, NULL, &gate), 0);
        MemberFacts facts = {.name = "w1", .boot_id = "b1"};
        MemberLinkPolicy link_policy = {.head = at, .facts = &facts, .party = party};
        assert_int_equal(member_link_new(event, &link_policy, &link_ops, &welcomes, &l), 0);
        usec_t end = now_mono() + BOUND;
        while (welcomes == 0) {
                assert_true(now_mono() < end);
                assert_true(sd_event_run(event, USEC_PER_SEC) >= 0);
        }
        assert_true(gate_find(gate, "workernode", &(GateMember){0}));
        world_done(&w);
}

/* The whole way, as the command goes it. */
static void test_sealed(void **state)
{
        _cleanup_buf_ Buf bytes = {0}, sealed = {.limit = BACKUP_MAX},
                          plain = {.limit = BACKUP_MAX};
        Backup b;
        World w;

        world_init(&w);
        make(&w, &bytes);
        assert_int_equal(seal_close("passphrase", 10, SEAL_COST_MIN, buf_data(&bytes),
                                    buf_size(&bytes), &sealed),
                         0);
        assert_null(memmem(buf_data(&sealed), buf_size(&sealed), "PRIVATE KEY", 11));
        assert_null(memmem(buf_data(&sealed), buf_size(&sealed), "authority", 9));
        /* every region of it: the store's pages, the keys, the settings */
        for (size_t i = 64; i < buf_size(&sealed); i += buf_size(&sealed) / 40) {
                sealed.data[i] ^= 4;
                assert_int_equal(
                        seal_open("passphrase", 10, buf_data(&sealed), buf_size(&sealed), &plain),
                        -EKEYREJECTED);
                sealed.data[i] ^= 4;
        }
        assert_int_equal(seal_open("passphrase", 10, buf_data(&sealed), buf_size(&sealed), &plain),
                         0);
        read_back(&plain, &b);
        world_done(&w);
}

/* One that version 0.1.0 wrote: what is kept for years is still read. */
static void test_golden(void **state)
{
        _cleanup_buf_ Buf plain = {.limit = BACKUP_MAX};
        _cleanup_free_ char *sealed = NULL, *old = NULL;
        Backup b;
        size_t n;
        World w;

        world_init(&w);
        assert_int_equal(read_file(TEST_DATA "/golden/backup/v1.bin", 1 << 20, &sealed, &n), 0);
        assert_int_equal(seal_open("passphrase", 10, sealed, n, &plain), 0);
        read_back(&plain, &b);
        assert_string_equal(b.cluster, "54400ef1b1897d5a3ac93651952f9661");
        assert_string_equal(b.node, "head1");
        assert_string_equal(b.software, "0.1.0");
        assert_int_equal(b.n_files, 6);
        restore(&w, &b, w.other, false, &old);
        assert_text(w.other, BACKUP_RAY_TOKEN, "ray's token\n");
        authority_free(authority_at(w.other, NOW, "127.0.0.1"));
        world_done(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_gathered),  cmocka_unit_test(test_not_gathered),
                cmocka_unit_test(test_live),      cmocka_unit_test(test_mark),
                cmocka_unit_test(test_restored),  cmocka_unit_test(test_restored_over),
                cmocka_unit_test(test_full_disk), cmocka_unit_test(test_wrong_contents),
                cmocka_unit_test(test_settings),  cmocka_unit_test(test_members_follow),
                cmocka_unit_test(test_sealed),    cmocka_unit_test(test_golden),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
