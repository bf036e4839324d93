/* A member asks its head for a certificate of Ray's TLS, over the connection that is there. */
#include "gate-world.h"

#include "member/ray-certificate.h"

static struct {
        unsigned issued, refused;
        PkiNames names;
        bool of_ray; /* and of nobody else */
        char why[MEMBER_TEXT_MAX];
} told;

static RayAuthority *ray;

static void on_ray_issued(MemberLink *l, const MemberIssued *m, void *userdata)
{
        World *w = userdata;
        _cleanup_(pki_cert_freep) PkiCert *cert = NULL;

        told.issued++;
        assert_int_equal(pki_cert_from_der(m->cert.data, m->cert.size, &cert), 0);
        assert_int_equal(pki_cert_names(cert, &told.names), 0);
        told.of_ray = pki_cert_is_signed_by(cert, ray_authority_cert(ray)) &&
                      !pki_cert_is_signed_by(cert, authority_cert(w->m.authority));
}

static void on_ray_refused(MemberLink *l, const char *why, void *userdata)
{
        told.refused++;
        str_copy(told.why, sizeof(told.why), why);
}

static MemberLink *link_for_ray(World *w, const Identity *i)
{
        _cleanup_(tls_party_unrefp) TlsParty *party = NULL;
        MemberFacts facts = {.name = "w1", .boot_id = "b1"};
        MemberLinkOps ops = link_ops;
        MemberLink *l = NULL;

        memset(&told, 0, sizeof(told));
        ops.on_ray_issued = on_ray_issued;
        ops.on_ray_refused = on_ray_refused;
        assert_int_equal(identity_party(i, &party), 0);
        MemberLinkPolicy p = {.head = w->at, .facts = &facts, .party = party};
        assert_int_equal(member_link_new(w->event, &p, &ops, w, &l), 0);
        return l;
}

static void open_ray(const World *w)
{
        char *why = NULL;
        assert_int_equal(ray_authority_open(w->m.dir, 0, now_real(), &ray, &why), 0);
}

static int ask(MemberLink *l, const Buf *csr)
{
        return member_link_ask_ray(l, (MemberBytes){buf_data(csr), buf_size(csr)});
}

static void test_issued(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        _cleanup_buf_ Buf csr = {0};
        World w;

        member(&w, &i);
        open_ray(&w);
        gate_set_ray_authority(w.gate, ray);
        assert_int_equal(ray_certificate_request(w.m.dir, "another-name", &csr), 0);
        l = link_for_ray(&w, &i);
        assert_int_equal(ask(l, &csr), -ENOTCONN);
        WAIT(&w, w.welcomes == 1);
        assert_int_equal(ask(l, &csr), 0);
        assert_int_equal(ask(l, &csr), -EBUSY);
        WAIT(&w, told.issued == 1);
        assert_true(told.of_ray);
        /* whatever it asked for, it is the member's */
        assert_string_equal(told.names.node, "workernode");
        assert_string_equal(told.names.name, "w1");
        assert_int_equal(told.names.role, PKI_WORKER);
        assert_int_equal(w.losses + w.lost, 0);
        ray = ray_authority_free(ray);
        world_done(&w);
}

/* What is wrong is said, and costs no member its place. */
static void test_refused(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        _cleanup_buf_ Buf csr = {0}, own = {0};
        World w;

        member(&w, &i);
        open_ray(&w);
        assert_int_equal(ray_certificate_request(w.m.dir, "w1", &csr), 0);
        assert_int_equal(pki_request_new(i.key, "w1", &own), 0);
        l = link_for_ray(&w, &i);
        WAIT(&w, w.welcomes == 1);
        assert_int_equal(ask(l, &csr), 0);
        WAIT(&w, told.refused == 1);
        assert_non_null(strstr(told.why, "no TLS for Ray"));
        gate_set_ray_authority(w.gate, ray);
        assert_int_equal(ask(l, &own), 0);
        WAIT(&w, told.refused == 2);
        assert_non_null(strstr(told.why, "another one than the membership's"));
        assert_int_equal(member_link_ask_ray(l, (MemberBytes){(const uint8_t *)"x", 1}), 0);
        WAIT(&w, told.refused == 3);
        assert_non_null(strstr(told.why, "no request"));
        while (told.refused == 3) { /* a signature each */
                unsigned before = told.issued + told.refused;
                assert_int_equal(ask(l, &csr), 0);
                WAIT(&w, told.issued + told.refused > before);
                assert_true(told.issued <= GATE_RENEWALS);
        }
        assert_non_null(strstr(told.why, "too often"));
        assert_true(member_link_is_joined(l));
        assert_int_equal(w.losses + w.lost + w.link_refusals, 0);
        ray = ray_authority_free(ray);
        world_done(&w);
}

/* Before it is welcome it has nothing to ask for. */
static void test_out_of_turn(void **state)
{
        _cleanup_identity_ Identity i = {0};
        _cleanup_buf_ Buf csr = {0};
        World w;
        Raw o;

        member(&w, &i);
        open_ray(&w);
        gate_set_ray_authority(w.gate, ray);
        assert_int_equal(ray_certificate_request(w.m.dir, "w1", &csr), 0);
        MemberMessage m = {.kind = MEMBER_RAY_ISSUE, .csr = {buf_data(&csr), buf_size(&csr)}};
        raw_init(&o, &w, &i, "127.0.0.1", &m);
        WAIT(&w, o.down);
        assert_int_equal(o.kinds[MEMBER_RAY_ISSUED], 0);
        raw_done(&o);
        ray = ray_authority_free(ray);
        world_done(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_issued),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_out_of_turn),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
