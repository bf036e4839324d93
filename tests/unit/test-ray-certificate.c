/* Ray's authority, and a machine's certificate for Ray: made, asked for, taken, renewed, refused.
 */
#include "test.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "member/authority.h"
#include "member/identity.h"
#include "member/ray-certificate.h"
#include "sys/tls-context.h"

#define DAY (24 * 60 * USEC_PER_MIN)

typedef struct World {
        char dir[64];
        char *head, *worker, *head_run, *worker_run; /* folders */
        RayAuthority *ray;
        Authority *cluster;
        PkiCert *member; /* the worker's, of membership */
        PkiKey *member_key;
        usec_t now;
} World;

static Addr A(const char *s)
{
        Addr a;
        assert_int_equal(addr_parse(s, &a), 0);
        return a;
}

static char *make_dir(World *w, const char *name)
{
        char *path = path_join(w->dir, name);
        assert_int_equal(mkdir(path, 0700), 0);
        return path;
}

static void open_ray(World *w, const char *dir)
{
        char *why = NULL;

        w->ray = ray_authority_free(w->ray);
        int r = ray_authority_open(dir, 0, w->now, &w->ray, &why);
        if (r < 0)
                fail_msg("%s", why);
}

static void enrol(World *w)
{
        _cleanup_buf_ Buf csr = {0};
        _cleanup_(pki_request_freep) PkiRequest *q = NULL;
        PkiNames n = {.node = "w1", .name = "compute01", .n_addrs = 2};

        n.addrs[0] = A("10.0.0.2");
        n.addrs[1] = A("fd00::2");
        assert_int_equal(pki_key_new(&w->member_key), 0);
        assert_int_equal(pki_request_new(w->member_key, "compute01", &csr), 0);
        assert_int_equal(pki_request_read(buf_data(&csr), buf_size(&csr), &q), 0);
        assert_int_equal(authority_issue(w->cluster, q, &n, w->now, &w->member), 0);
}

static World *world_new(void)
{
        World *w = calloc(1, sizeof(*w));
        Addr head = A("10.0.0.1");
        char *why = NULL;

        strcpy(w->dir, "/tmp/test-ray-cert-XXXXXX");
        assert_non_null(mkdtemp(w->dir));
        w->now = now_real();
        w->head = make_dir(w, "head");
        w->worker = make_dir(w, "worker");
        w->head_run = path_join(w->dir, "head-run");
        w->worker_run = path_join(w->dir, "worker-run");
        open_ray(w, w->head);
        const AuthorityPolicy p = {
                .dir = w->head, .node = "h", .name = "head", .addrs = &head, .n_addrs = 1};
        assert_int_equal(authority_open(&p, w->now, &w->cluster, &why), 0);
        enrol(w);
        return w;
}

static void world_free(World *w)
{
        _cleanup_free_ char *command = str_printf("rm -r %s", w->dir);

        assert_int_equal(system(command), 0);
        ray_authority_free(w->ray);
        authority_free(w->cluster);
        pki_cert_free(w->member);
        pki_key_free(w->member_key);
        free(w->head);
        free(w->worker);
        free(w->head_run);
        free(w->worker_run);
        free(w);
}

/* The way of a request and its answer, without the connection in between; the errno of taking. */
static int ask(World *w, char **reterr)
{
        _cleanup_buf_ Buf csr = {0}, cert = {0}, ca = {0};
        _cleanup_(pki_cert_freep) PkiCert *c = NULL;

        assert_int_equal(ray_certificate_request(w->worker, "compute01", &csr), 0);
        assert_int_equal(
                ray_authority_answer(w->ray, w->member, buf_data(&csr), buf_size(&csr), w->now, &c),
                0);
        assert_int_equal(pki_cert_to_der(c, &cert), 0);
        assert_int_equal(pki_cert_to_der(ray_authority_cert(w->ray), &ca), 0);
        const MemberIssued m = {.cert = {buf_data(&cert), buf_size(&cert)},
                                .cas = {{buf_data(&ca), buf_size(&ca)}},
                                .n_cas = 1};
        return ray_certificate_take(w->worker, w->worker_run, &m, w->now, reterr);
}

static void take(World *w)
{
        char *why = NULL;

        if (ask(w, &why) < 0)
                fail_msg("%s", why);
}

static void load(const char *dir, Identity *ret)
{
        _cleanup_free_ char *path = path_join(dir, "ray-tls.pem");
        assert_int_equal(identity_load(path, ret), 0);
}

/* As Ray and our own calls read them. */
static void check_files(const char *dir)
{
        _cleanup_free_ char *ca = path_join(dir, "ca.pem"), *cert = path_join(dir, "cert.pem"),
                            *key = path_join(dir, "key.pem");
        TlsContext *c = NULL;
        TlsMistake m;
        struct stat st;

        assert_int_equal(tls_context_new(&(TlsFiles){ca, cert, key}, &m, &c), 0);
        tls_context_free(c);
        assert_int_equal(stat(key, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        assert_int_equal(stat(dir, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0750);
}

static usec_t renew_at(const World *w, const char *addr, usec_t now)
{
        const Addr a = A(addr);
        return ray_certificate_renew_at(w->worker, &a, 1, now);
}

static void test_member(void **state)
{
        World *w = world_new();
        _cleanup_identity_ Identity i = {0};
        PkiNames n;

        assert_int_equal(renew_at(w, "10.0.0.2", w->now), 0);
        assert_int_equal(ray_certificate_restore(w->worker, w->worker_run), -ENOENT);
        take(w);
        check_files(w->worker_run);
        load(w->worker, &i);
        assert_int_equal(pki_cert_names(i.cert, &n), 0);
        assert_int_equal(n.role, PKI_WORKER);
        assert_string_equal(n.node, "w1");
        assert_int_equal(n.n_addrs, 4); /* its own, and loopback's */
        assert_true(addr_is_loopback(&n.addrs[2]) && addr_is_loopback(&n.addrs[3]));
        assert_true(startswith(n.cluster, "ray-"));
        usec_t at = renew_at(w, "10.0.0.2", w->now);
        assert_true(at > w->now + 200 * DAY && at < w->now + 300 * DAY);
        assert_int_equal(renew_at(w, "10.0.0.2", at + 1), 0);
        assert_int_equal(renew_at(w, "10.0.0.77", w->now), 0); /* it got another address */
        world_free(w);
}

/* What a Ray key is not good for: the cluster's TLS does not know its authority. */
static void test_enrols_nobody(void **state)
{
        World *w = world_new();
        _cleanup_identity_ Identity i = {0};
        PkiCert *cas[] = {(PkiCert *)authority_cert(w->cluster)};
        PkiDefect defect;

        take(w);
        load(w->worker, &i);
        assert_int_equal(pki_cert_verify(i.cert, cas, 1, w->now, &defect), 0);
        assert_int_equal(defect, PKI_DEFECT_UNTRUSTED);
        /* and the reverse */
        assert_int_equal(pki_cert_verify(w->member, i.cas, i.n_cas, w->now, &defect), 0);
        assert_int_equal(defect, PKI_DEFECT_UNTRUSTED);
        world_free(w);
}

static void test_request_with_the_members_key(void **state)
{
        World *w = world_new();
        _cleanup_buf_ Buf csr = {0};
        PkiCert *c = NULL;

        assert_int_equal(pki_request_new(w->member_key, "compute01", &csr), 0);
        assert_int_equal(
                ray_authority_answer(w->ray, w->member, buf_data(&csr), buf_size(&csr), w->now, &c),
                -EKEYREJECTED);
        assert_int_equal(ray_authority_answer(w->ray, w->member, "x", 1, w->now, &c), -EBADMSG);
        world_free(w);
}

static void test_renewal(void **state)
{
        World *w = world_new();
        _cleanup_identity_ Identity first = {0}, second = {0};
        uint8_t a[PKI_PIN_SIZE], b[PKI_PIN_SIZE];

        take(w);
        load(w->worker, &first);
        w->now += 300 * DAY;
        assert_int_equal(renew_at(w, "10.0.0.2", w->now), 0);
        take(w);
        load(w->worker, &second);
        pki_key_pin(first.key, a);
        pki_key_pin(second.key, b);
        assert_memory_equal(a, b, sizeof(a));
        assert_string_not_equal(pki_cert_serial(first.cert), pki_cert_serial(second.cert));
        assert_true(renew_at(w, "10.0.0.2", w->now) > w->now);
        check_files(w->worker_run);
        world_free(w);
}

static void test_restore(void **state)
{
        World *w = world_new();
        _cleanup_free_ char *command = str_printf("rm -r %s/worker-run", w->dir);

        take(w);
        assert_int_equal(system(command), 0);
        assert_int_equal(ray_certificate_restore(w->worker, w->worker_run), 0);
        check_files(w->worker_run);
        world_free(w);
}

/* What was good stays when what comes is not. */
static void test_bad_answers(void **state)
{
        World *w = world_new();
        _cleanup_free_ char *late = NULL, *other = NULL, *text = NULL;
        _cleanup_buf_ Buf cert = {0}, ca = {0};

        take(w);
        assert_int_equal(pki_cert_to_der(w->member, &cert), 0);
        assert_int_equal(pki_cert_to_der(ray_authority_cert(w->ray), &ca), 0);
        MemberIssued m = {.cert = {buf_data(&cert), buf_size(&cert)},
                          .cas = {{buf_data(&ca), buf_size(&ca)}},
                          .n_cas = 1};
        assert_int_equal(ray_certificate_take(w->worker, w->worker_run, &m, w->now, &other),
                         -EKEYREJECTED);
        assert_non_null(strstr(other, "it is for another key"));
        m.cert.size--;
        assert_int_equal(ray_certificate_take(w->worker, w->worker_run, &m, w->now, &text),
                         -EBADMSG);
        assert_non_null(strstr(text, "cannot be read"));
        /* the clock here is a day behind the head's */
        _cleanup_buf_ Buf csr = {0};
        _cleanup_(pki_cert_freep) PkiCert *c = NULL;
        _cleanup_buf_ Buf der = {0};
        assert_int_equal(ray_certificate_request(w->worker, "compute01", &csr), 0);
        assert_int_equal(
                ray_authority_answer(w->ray, w->member, buf_data(&csr), buf_size(&csr), w->now, &c),
                0);
        assert_int_equal(pki_cert_to_der(c, &der), 0);
        m.cert = (MemberBytes){buf_data(&der), buf_size(&der)};
        assert_int_equal(ray_certificate_take(w->worker, w->worker_run, &m, w->now - DAY, &late),
                         -EKEYREJECTED);
        assert_non_null(strstr(late, "not valid yet by the clock here"));
        assert_true(renew_at(w, "10.0.0.2", w->now) > w->now);
        check_files(w->worker_run);
        world_free(w);
}

static void provide(World *w)
{
        PkiNames own = {.role = PKI_HEAD, .node = "h", .name = "head", .n_addrs = 1};
        char *why = NULL;

        own.addrs[0] = A("10.0.0.1");
        if (ray_certificate_provide(w->head, w->head_run, w->ray, &own, w->now, &why) < 0)
                fail_msg("%s", why);
}

static void test_head(void **state)
{
        World *w = world_new();
        _cleanup_identity_ Identity first = {0}, second = {0}, third = {0}, fourth = {0};
        _cleanup_free_ char *file = path_join(w->head, "ray-authority.pem");

        provide(w);
        check_files(w->head_run);
        load(w->head, &first);
        open_ray(w, w->head); /* the daemon starts again */
        provide(w);
        load(w->head, &second);
        assert_string_equal(pki_cert_serial(first.cert), pki_cert_serial(second.cert));
        w->now += 250 * DAY;
        provide(w);
        load(w->head, &third);
        assert_string_not_equal(pki_cert_serial(first.cert), pki_cert_serial(third.cert));
        /* an admin wants another authority */
        assert_int_equal(unlink(file), 0);
        open_ray(w, w->head);
        provide(w);
        load(w->head, &fourth);
        assert_true(pki_cert_is_signed_by(fourth.cert, ray_authority_cert(w->ray)));
        world_free(w);
}

static void test_damaged_authority(void **state)
{
        World *w = world_new();
        _cleanup_free_ char *file = path_join(w->head, "ray-authority.pem"), *why = NULL;
        RayAuthority *a = NULL;
        struct stat st;

        assert_int_equal(stat(file, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(write_file_atomic(file, "junk", 4, 0600, (gid_t)-1), 0);
        assert_int_equal(ray_authority_open(w->head, 0, w->now, &a, &why), -EBADMSG);
        assert_non_null(strstr(why, "ray-authority.pem: is damaged; restore it from a backup"));
        world_free(w);
}

/* More addresses than a certificate has room for. */
static void test_many_addrs(void **state)
{
        World *w = world_new();
        PkiNames own = {.role = PKI_HEAD, .node = "h", .name = "head", .n_addrs = PKI_ADDRS_MAX};
        _cleanup_identity_ Identity i = {0};
        PkiNames n;
        char *why = NULL;

        for (size_t k = 0; k < own.n_addrs; k++) {
                char text[32];
                (void)snprintf(text, sizeof(text), "10.0.1.%zu", k + 1);
                own.addrs[k] = A(text);
        }
        assert_int_equal(ray_certificate_provide(w->head, w->head_run, w->ray, &own, w->now, &why),
                         0);
        load(w->head, &i);
        assert_int_equal(pki_cert_names(i.cert, &n), 0);
        assert_int_equal(n.n_addrs, PKI_ADDRS_MAX);
        assert_true(addr_is_loopback(&n.addrs[PKI_ADDRS_MAX - 1]));
        assert_true(ray_certificate_renew_at(w->head, own.addrs, own.n_addrs, w->now) > w->now);
        world_free(w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_member),
                cmocka_unit_test(test_enrols_nobody),
                cmocka_unit_test(test_request_with_the_members_key),
                cmocka_unit_test(test_renewal),
                cmocka_unit_test(test_restore),
                cmocka_unit_test(test_bad_answers),
                cmocka_unit_test(test_head),
                cmocka_unit_test(test_damaged_authority),
                cmocka_unit_test(test_many_addrs),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
