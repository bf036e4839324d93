/* Certificates that end and are renewed, by a gate and a link over real TLS; and what is on the
 * disk when the power goes in between. */
#include "gate-world.h"

#include <signal.h>
#include <sys/stat.h>

#include "member/certify.h"
#include "member/clock-words.h"
#include "member/link-private.h"

/* A link that renews what is in the file. */
static MemberLink *keep(World *w)
{
        MemberFacts facts = {.name = "w1", .boot_id = "b1"};
        char path[64];
        MemberLinkPolicy p = {.head = w->at, .facts = &facts, .identity = path};
        MemberLink *l = NULL;

        path_of(w, path);
        assert_int_equal(member_link_new(w->event, &p, &link_ops, w, &l), 0);
        return l;
}

static int renew_now(MemberLink *l)
{
        return link_renewal_ask(l, l->peer);
}

static void let_a_minute_pass(MemberLink *l)
{
        l->renewed = 0;
}

static void wait_beats(World *w)
{
        usec_t until = now_mono() + 5 * BEAT;
        WAIT(w, now_mono() > until);
}

static void serial_of(const World *w, const char *suffix, char ret[static PKI_SERIAL_MAX])
{
        _cleanup_identity_ Identity i = {0};
        char path[80];

        (void)snprintf(path, sizeof(path), "%s/worker.pem%s", w->m.dir, suffix);
        assert_int_equal(identity_load(path, &i), 0);
        str_copy(ret, PKI_SERIAL_MAX, pki_cert_serial(i.cert));
}

static bool exists(const World *w, const char *suffix)
{
        char path[80];

        (void)snprintf(path, sizeof(path), "%s/worker.pem%s", w->m.dir, suffix);
        return access(path, F_OK) == 0;
}

/* --- one after another */

static void test_fifty_in_a_row(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        char before[PKI_SERIAL_MAX], after[PKI_SERIAL_MAX];
        World w;

        member(&w, &i);
        serial_of(&w, "", before);
        l = keep(&w);
        WAIT(&w, w.welcomes == 1);
        for (unsigned n = 1; n <= 50; n++) {
                assert_int_equal(renew_now(l), 0);
                WAIT(&w, w.link_renewed == n);
                assert_int_equal(gate_count(w.gate), 1);
                serial_of(&w, "", after);
                assert_string_not_equal(before, after);
                str_copy(before, sizeof(before), after);
                assert_false(exists(&w, ".new"));
        }
        assert_int_equal(w.renewed, 50);
        assert_int_equal(w.came, 1); /* nobody was told of anything else */
        assert_int_equal(w.facts, 50);
        assert_int_equal(w.lost + w.losses + w.copied + w.renewals_failed, 0);
        /* and it is heard by the last connection */
        wait_beats(&w);
        assert_int_equal(w.lost + w.losses, 0);
        assert_true(member_link_is_joined(l));
        world_done(&w);
}

/* What the head is told while it changes over: the new connection has said something already. */
static void test_facts_while_changing(void **state)
{
        MemberFacts facts = {.name = "w1", .boot_id = "b1", .gpus = 3};
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        World w;

        member(&w, &i);
        l = keep(&w);
        WAIT(&w, w.welcomes == 1);
        assert_int_equal(renew_now(l), 0);
        WAIT(&w, l->state == LINK_CHANGING && l->next_up);
        assert_int_equal(member_link_set_facts(l, &facts), 0);
        WAIT(&w, w.link_renewed == 1);
        wait_beats(&w);
        assert_int_equal(w.facts_gpus, 3);
        assert_int_equal(w.lost + w.losses, 0);
        world_done(&w);
}

/* As many authorities as a head may send are kept. */
static void test_all_authorities(void **state)
{
        _cleanup_identity_ Identity i = {0}, kept = {0};
        char path[64];
        World w;

        member(&w, &i);
        path_of(&w, path);
        Identity many = {.key = i.key, .cert = i.cert};
        while (many.n_cas < MEMBER_CAS_MAX)
                many.cas[many.n_cas++] = i.cas[0];
        assert_int_equal(identity_save(path, &many), 0);
        load(&w, &kept);
        assert_int_equal(kept.n_cas, MEMBER_CAS_MAX);
        world_done(&w);
}

/* By themselves, when two thirds of a life of seconds are over. */
static void test_lifes_of_seconds(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_free_ char *error = NULL;
        Addr own = member_addr("127.0.0.1");
        JoinToken t;
        World w;

        world_init(&w);
        AuthorityPolicy p = {.dir = w.m.dir,
                             .node = "headnode",
                             .name = "head",
                             .addrs = &own,
                             .n_addrs = 1,
                             .life = 4 * USEC_PER_SEC};
        w.gate = gate_free(w.gate);
        w.m.authority = authority_free(w.m.authority);
        assert_int_equal(authority_open(&p, now_real(), &w.m.authority, &error), 0);
        open_gate(&w);
        t = token_of(&w, "abcdefgh");
        join(&w, &t);
        l = keep(&w);
        WAIT(&w, w.link_renewed == 3);
        assert_int_equal(w.came, 1);
        assert_int_equal(w.lost + w.losses + w.renewals_failed, 0);
        world_done(&w);
}

/* Another address, another Ray: told, and in the next certificate. */
static void test_other_facts(void **state)
{
        MemberFacts facts = {.name = "renamed",
                             .boot_id = "b1",
                             .addrs = {member_addr("10.9.9.9")},
                             .n_addrs = 1};
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0}, next = {0};
        GateMember m;
        PkiNames n;
        World w;

        member(&w, &i);
        l = keep(&w);
        WAIT(&w, w.welcomes == 1);
        assert_int_equal(member_link_set_facts(l, &facts), 0);
        WAIT(&w, w.facts == 1);
        assert_string_equal(w.facts_name, "renamed");
        assert_true(gate_find(w.gate, "workernode", &m));
        assert_string_equal(m.name, "w1"); /* what it is called stands in its certificate */
        WAIT(&w, w.link_renewed == 1);     /* by itself */
        load(&w, &next);
        assert_int_equal(pki_cert_names(next.cert, &n), 0);
        assert_int_equal(n.n_addrs, 2);
        assert_true(addr_equal(&n.addrs[1], &facts.addrs[0]));
        assert_string_equal(w.facts_name, "renamed"); /* the second connection says it, too */

        /* what comes and goes is asked for once a minute at most */
        facts.addrs[0] = member_addr("10.9.9.10");
        assert_int_equal(member_link_set_facts(l, &facts), 0);
        wait_beats(&w);
        assert_int_equal(w.link_renewed, 1);
        let_a_minute_pass(l);
        WAIT(&w, w.link_renewed == 2);

        /* and what the head does not give, once: an address of another machine */
        PkiNames other = {
                .node = "other", .name = "w2", .addrs = {member_addr("10.9.9.11")}, .n_addrs = 1};
        MemberRow row = {.node = "other", .name = "w2"};
        assert_int_equal(certify_record(w.m.db, &row, &other), 0);
        facts.addrs[0] = other.addrs[0];
        assert_int_equal(member_link_set_facts(l, &facts), 0);
        let_a_minute_pass(l);
        WAIT(&w, w.link_renewed == 3);
        facts.cpus = 2;
        assert_int_equal(member_link_set_facts(l, &facts), 0);
        let_a_minute_pass(l);
        wait_beats(&w);
        assert_int_equal(w.link_renewed, 3);
        assert_int_equal(w.lost + w.losses, 0);
        world_done(&w);
}

/* A command that was given before is answered after. */
static void on_answer(Gate *g, const char *node, const GateCommandResult *r, void *userdata)
{
        assert_int_equal(r->end, GATE_COMMAND_DONE);
        ++*(unsigned *)userdata;
}

static void test_command_across(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        unsigned answers = 0;
        World w;

        member(&w, &i);
        l = keep(&w);
        WAIT(&w, w.welcomes == 1);
        assert_int_equal(
                gate_command(w.gate, "workernode", MEMBER_ORDER_DRAIN, "", 0, on_answer, &answers),
                0);
        WAIT(&w, w.commands == 1);
        assert_int_equal(renew_now(l), 0);
        WAIT(&w, w.link_renewed == 1);
        assert_int_equal(member_link_done(l, w.command.number, true, "drained"), 0);
        WAIT(&w, answers == 1);
        world_done(&w);
}

/* The head's disk is full, or it has other reasons: nothing changes, and it is asked again. */
static void test_too_often(void **state)
{
        _cleanup_identity_ Identity i = {0};
        MemberMessage facts = {.kind = MEMBER_FACTS, .facts = {.name = "w1", .boot_id = "b1"}};
        MemberMessage renew = {.kind = MEMBER_RENEW};
        _cleanup_buf_ Buf csr = {0};
        World w;
        Raw o;

        member(&w, &i);
        assert_int_equal(pki_request_new(i.key, "w1", &csr), 0);
        renew.csr = (MemberBytes){buf_data(&csr), buf_size(&csr)};
        raw_init(&o, &w, &i, "127.0.0.1", &facts);
        WAIT(&w, o.kinds[MEMBER_WELCOME] == 1);
        for (unsigned n = 0; n < GATE_RENEWALS + 1; n++)
                raw_say(&o, &renew);
        WAIT(&w, o.kinds[MEMBER_REFUSED] == 1);
        assert_int_equal(o.kinds[MEMBER_ISSUED], GATE_RENEWALS);
        assert_int_equal(o.refused.reason, MEMBER_REFUSAL_BUSY);
        assert_int_equal(w.lost, 0); /* it is a member still */
        assert_false(o.down);
        /* it comes with an old certificate: that is no renewal, and told */
        Raw again;
        raw_init(&again, &w, &i, "127.0.0.1", &facts);
        WAIT(&w, again.kinds[MEMBER_WELCOME] == 1);
        assert_int_equal(w.lost, 1);
        assert_int_equal(w.loss, GATE_LOSS_REPLACED);
        raw_done(&again);
        raw_done(&o);
        world_done(&w);
}

/* --- power cuts: what lies on the disk at each point leads back into the cluster */

/* A later certificate as PATH.new; of `key`, or of the identity's own. */
static void put_new(World *w, const Authority *authority, const Identity *i, const PkiKey *key)
{
        _cleanup_(pki_request_freep) PkiRequest *q = NULL;
        _cleanup_(pki_cert_freep) PkiCert *cert = NULL;
        _cleanup_buf_ Buf csr = {0};
        char path[80];
        PkiNames n;

        assert_int_equal(pki_cert_names(i->cert, &n), 0);
        assert_int_equal(pki_request_new(key, "w1", &csr), 0);
        assert_int_equal(pki_request_read(buf_data(&csr), buf_size(&csr), &q), 0);
        assert_int_equal(authority_issue(authority, q, &n, now_real() + USEC_PER_SEC, &cert), 0);
        (void)snprintf(path, sizeof(path), "%s/worker.pem.new", w->m.dir);
        Identity next = *i;
        next.key = (PkiKey *)key;
        next.cert = cert;
        assert_int_equal(identity_save(path, &next), 0);
}

static void test_cut_before_it_was_tried(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        char next[PKI_SERIAL_MAX], now[PKI_SERIAL_MAX];
        World w;

        member(&w, &i);
        put_new(&w, w.m.authority, &i, i.key);
        serial_of(&w, ".new", next);
        l = keep(&w);
        WAIT(&w, w.welcomes == 1);
        assert_int_equal(w.link_renewed, 1);
        serial_of(&w, "", now);
        assert_string_equal(now, next);
        assert_false(exists(&w, ".new"));
        world_done(&w);
}

/* Half a file, and one that is somebody else's, are passed over. */
static void test_cut_while_it_was_written(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_(pki_key_freep) PkiKey *key = NULL;
        _cleanup_identity_ Identity i = {0};
        char path[80], before[PKI_SERIAL_MAX], now[PKI_SERIAL_MAX];
        World w;

        member(&w, &i);
        serial_of(&w, "", before);
        (void)snprintf(path, sizeof(path), "%s/worker.pem.new", w.m.dir);
        assert_int_equal(write_file_atomic(path, "-----BEGIN", 10, 0600, (gid_t)-1), 0);
        l = keep(&w);
        WAIT(&w, w.welcomes == 1);
        l = member_link_free(l);
        assert_int_equal(pki_key_new(&key), 0);
        put_new(&w, w.m.authority, &i, key);
        l = keep(&w);
        WAIT(&w, w.welcomes == 2);
        assert_int_equal(w.link_renewed, 0);
        serial_of(&w, "", now);
        assert_string_equal(now, before);
        world_done(&w);
}

/* One that the head does not take: the old one still works. */
static void test_new_one_does_not_work(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        char before[PKI_SERIAL_MAX], now[PKI_SERIAL_MAX];
        World w, other;

        member(&w, &i);
        world_init(&other);
        serial_of(&w, "", before);
        put_new(&w, other.m.authority, &i, i.key);
        l = keep(&w);
        WAIT(&w, w.welcomes == 1);
        assert_int_equal(w.losses, 1);
        assert_int_equal(w.link_renewed, 0);
        assert_false(exists(&w, ".new"));
        serial_of(&w, "", now);
        assert_string_equal(now, before);
        world_done(&w);
        world_done(&other);
}

/* The disk of the machine is full, and then it is not: joined all the time. */
static void test_cannot_be_kept(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        char path[80];
        World w;

        member(&w, &i);
        l = keep(&w);
        WAIT(&w, w.welcomes == 1);
        (void)snprintf(path, sizeof(path), "%s/worker.pem.new", w.m.dir);
        assert_int_equal(mkdir(path, 0700), 0); /* nothing can take its place */
        assert_int_equal(renew_now(l), 0);
        WAIT(&w, w.renewals_failed == 1);
        assert_non_null(strstr(w.renewal_why, "cannot be kept"));
        assert_int_equal(rmdir(path), 0);
        assert_int_equal(renew_now(l), 0);
        WAIT(&w, w.link_renewed == 1);
        assert_int_equal(w.lost + w.losses, 0);
        world_done(&w);
}

/* The head goes away when it has issued, and comes again: either certificate leads back. */
static void test_head_goes_in_between(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        char before[PKI_SERIAL_MAX], after[PKI_SERIAL_MAX];
        World w;

        member(&w, &i);
        serial_of(&w, "", before);
        l = keep(&w);
        WAIT(&w, w.welcomes == 1);
        assert_int_equal(renew_now(l), 0);
        WAIT(&w, exists(&w, ".new"));
        assert_int_equal(w.link_renewed, 0);
        Addr at = w.at;
        w.gate = gate_free(w.gate);
        WAIT(&w, w.losses >= 1);
        serial_of(&w, "", after);
        assert_string_equal(before, after);
        open_gate_at(&w, &at);
        WAIT(&w, w.link_renewed == 1);
        assert_int_equal(w.came, 2);
        assert_false(exists(&w, ".new"));
        serial_of(&w, "", after);
        assert_string_not_equal(before, after);
        world_done(&w);
}

/* --- machines that were off */

/* Its certificate was made so long ago, for this address; NULL: for those that it has. */
static void reissue(World *w, usec_t ago, const char *address)
{
        _cleanup_(pki_request_freep) PkiRequest *q = NULL;
        _cleanup_identity_ Identity i = {0};
        _cleanup_buf_ Buf csr = {0};
        char path[64];
        PkiNames n;

        path_of(w, path);
        load(w, &i);
        assert_int_equal(pki_cert_names(i.cert, &n), 0);
        if (address) {
                n.addrs[0] = member_addr(address);
                n.n_addrs = 1;
        }
        assert_int_equal(pki_request_new(i.key, "w1", &csr), 0);
        assert_int_equal(pki_request_read(buf_data(&csr), buf_size(&csr), &q), 0);
        i.cert = pki_cert_free(i.cert);
        assert_int_equal(authority_issue(w->m.authority, q, &n, now_real() - ago, &i.cert), 0);
        assert_int_equal(identity_save(path, &i), 0);
}

/* A world whose authority is old enough for that. */
static void old_member(World *w, usec_t ago)
{
        JoinToken t;

        *w = (World){0};
        member_world_init(&w->m, now_real() - 100 * DAY);
        w->m.authority = authority_free(w->m.authority);
        w->m.authority = authority_at(w->m.dir, now_real(), "127.0.0.1");
        w->m.now = now_real();
        member_world_token(&w->m, "abcdefgh", 3);
        assert_true(sd_event_new(&w->event) >= 0);
        open_gate(w);
        t = token_of(w, "abcdefgh");
        join(w, &t);
        assert_int_equal(w->join.end, JOIN_DONE);
        reissue(w, ago, NULL);
}

/* A machine that comes from another address than its certificate has gets one that names it, once,
 * and before the next beat is over. */
static void test_moved(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0}, next = {0};
        PkiNames n;
        World w;

        member(&w, &i);
        reissue(&w, 0, "10.9.9.9");
        l = keep(&w);
        WAIT(&w, w.link_renewed == 1);
        load(&w, &next);
        assert_int_equal(pki_cert_names(next.cert, &n), 0);
        assert_int_equal(n.n_addrs, 1);
        assert_true(addr_equal(&n.addrs[0],
                               &(Addr){.family = AF_INET, .in.s_addr = htonl(INADDR_LOOPBACK)}));
        wait_beats(&w);
        assert_int_equal(w.link_renewed, 1);
        assert_int_equal(w.lost + w.losses + w.renewals_failed, 0);
        world_done(&w);
}

static void test_expired(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        MemberRow row;
        usec_t from, until;
        World w;

        old_member(&w, 59 * DAY);
        l = keep(&w);
        WAIT(&w, w.welcomes == 1);
        assert_int_equal(w.renewed, 1);
        assert_int_equal(w.came, 1);
        assert_int_equal(w.losses + w.lost + w.link_refusals, 0);
        load(&w, &i);
        pki_cert_dates(i.cert, &from, &until);
        assert_true(until > now_real() + 29 * DAY);
        assert_int_equal(roster_find_node(w.m.db, "workernode", &row), 1);
        assert_true(row.not_after == until);
        world_done(&w);
}

static void test_expired_too_long(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        World w;

        old_member(&w, 61 * DAY);
        l = keep(&w);
        WAIT(&w, w.losses == 1);
        assert_non_null(strstr(w.why, "over for too long"));
        assert_int_equal(w.renewed + w.came, 0);
        world_done(&w);
}

static void test_expired_and_revoked(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        World w;

        old_member(&w, 35 * DAY);
        assert_int_equal(roster_revoke(w.m.db, "workernode"), 1);
        l = keep(&w);
        WAIT(&w, w.link_refusals == 1);
        assert_int_equal(w.link_refusal.reason, MEMBER_REFUSAL_REVOKED);
        assert_int_equal(w.renewed + w.came, 0);
        world_done(&w);
}

/* Nothing but a Renew is done for it: no Facts, no Welcome, no Ray token. */
static void test_expired_and_pushing(void **state)
{
        _cleanup_identity_ Identity i = {0};
        MemberMessage facts = {.kind = MEMBER_FACTS, .facts = {.name = "w1", .boot_id = "b1"}};
        World w;
        Raw o;

        old_member(&w, 35 * DAY);
        assert_int_equal(gate_set_settings(w.gate, "a = 1;\n"), 0);
        load(&w, &i);
        raw_init(&o, &w, &i, "127.0.0.1", &facts);
        WAIT(&w, o.kinds[MEMBER_REFUSED] == 1);
        assert_non_null(strstr(o.refused.text, "certificate is over"));
        assert_int_equal(o.kinds[MEMBER_WELCOME] + o.kinds[MEMBER_SETTINGS], 0);
        assert_int_equal(w.came, 0);
        raw_done(&o);
        world_done(&w);
}

/* --- clocks */

/* By the head's clock the certificate is over, by its own it is not: it comes as ever, and hears
 * which clocks to compare. */
static void test_clock_of_a_member_behind(void **state)
{
        _cleanup_identity_ Identity i = {0};
        MemberMessage facts = {.kind = MEMBER_FACTS, .facts = {.name = "w1", .boot_id = "b1"}};
        World w;
        Raw o;

        old_member(&w, 35 * DAY);
        load(&w, &i);
        raw_init(&o, &w, &i, "127.0.0.1", &facts);
        o.can = MEMBER_CAN_RENEW;
        WAIT(&w, o.kinds[MEMBER_REFUSED] == 1);
        assert_string_equal(o.refused.text,
                            "by the head's clock this machine's certificate ended 5d ago, by its "
                            "own it did not; one of the two clocks is wrong: compare them "
                            "(timedatectl); then it gets the next");
        raw_done(&o);
        world_done(&w);
}

/* By its own clock the certificate is over, by the head's it is not: it gets the next. */
static void test_clock_ahead(void **state)
{
        _cleanup_identity_ Identity i = {0};
        MemberMessage renew = {.kind = MEMBER_RENEW};
        _cleanup_buf_ Buf csr = {0};
        World w;
        Raw o;

        member(&w, &i);
        assert_int_equal(pki_request_new(i.key, "w1", &csr), 0);
        renew.csr = (MemberBytes){buf_data(&csr), buf_size(&csr)};
        raw_init(&o, &w, &i, "127.0.0.1", &renew);
        WAIT(&w, o.kinds[MEMBER_ISSUED] == 1);
        assert_int_equal(w.renewed, 1);
        assert_int_equal(w.came, 0);
        raw_done(&o);
        world_done(&w);
}

static void test_clock_words(void **state)
{
        TlsLinkFacts f = {
                .defect = PKI_DEFECT_UNTRUSTED, .valid_from = 10 * DAY, .valid_until = 40 * DAY};
        char words[CLOCK_WORDS_MAX];

        assert_false(clock_words(words, sizeof(words), &f, 41 * DAY));
        f.defect = PKI_DEFECT_EXPIRED;
        assert_true(clock_words(words, sizeof(words), &f, 42 * DAY));
        assert_string_equal(words,
                            "by this machine's clock the head's certificate ended 2d ago; one of "
                            "the two clocks is wrong: compare them (timedatectl)");
        f.defect = PKI_DEFECT_NOT_YET_VALID;
        assert_true(clock_words(words, sizeof(words), &f, 8 * DAY));
        assert_non_null(strstr(words, "begins in 2d; "));
        assert_true(clock_words(words, sizeof(words), &f, 20 * DAY)); /* of the authority, then */
        assert_non_null(strstr(words, "the authority of the head"));
}

/* At two thirds of a life, give or take a tenth; and later when it did not work. */
static void test_when_it_is_due(void **state)
{
        _cleanup_identity_ Identity i = {0};
        usec_t from, until, first = USEC_INFINITY, last = 0;
        char path[64];
        World w;

        member(&w, &i);
        path_of(&w, path);
        pki_cert_dates(i.cert, &from, &until);
        usec_t life = until - from;
        for (unsigned n = 0; n < 40; n++) {
                _cleanup_(identity_keeper_freep) IdentityKeeper *k = NULL;
                assert_int_equal(identity_keeper_new(path, &k), 0);
                assert_false(identity_keeper_is_due(k, from + life / 100 * 56));
                assert_true(identity_keeper_is_due(k, from + life / 100 * 77));
                for (unsigned h = 56; h < 78; h++)
                        if (identity_keeper_is_due(k, from + life / 100 * h)) {
                                first = MIN(first, (usec_t)h);
                                last = MAX(last, (usec_t)h);
                                break;
                        }
                assert_false(identity_keeper_is_expired(k, until - 1));
                assert_true(identity_keeper_is_expired(k, until));
                identity_keeper_failed(k, until);
                assert_false(identity_keeper_is_due(k, until + IDENTITY_RETRY / 2));
                assert_true(identity_keeper_is_due(k, until + 2 * IDENTITY_RETRY));
        }
        assert_true(last - first >= 5); /* a room does not come in step */
        world_done(&w);
}

/* The head lives two days from now, or this machine two days ago. */
static void test_clock_behind(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        JoinToken t;
        char path[80];
        World w;

        member(&w, &i);
        (void)snprintf(path, sizeof(path), "%s/identity.pem", w.m.dir);
        assert_int_equal(unlink(path), 0);
        w.gate = gate_free(w.gate);
        w.m.authority = authority_free(w.m.authority);
        w.m.authority = authority_at(w.m.dir, now_real() + 2 * DAY, "127.0.0.1");
        open_gate(&w);
        t = token_of(&w, "abcdefgh");
        join(&w, &t);
        assert_int_equal(w.join.end, JOIN_WRONG_HEAD);
        assert_non_null(strstr(w.join.text, "begins in 1d 23h; one of the two clocks is wrong"));
        l = keep(&w);
        WAIT(&w, w.losses == 1);
        assert_non_null(strstr(w.why, "begins in 1d 23h; one of the two clocks is wrong"));
        world_done(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_fifty_in_a_row),
                cmocka_unit_test(test_lifes_of_seconds),
                cmocka_unit_test(test_facts_while_changing),
                cmocka_unit_test(test_all_authorities),
                cmocka_unit_test(test_command_across),
                cmocka_unit_test(test_too_often),
                cmocka_unit_test(test_cut_before_it_was_tried),
                cmocka_unit_test(test_cut_while_it_was_written),
                cmocka_unit_test(test_new_one_does_not_work),
                cmocka_unit_test(test_cannot_be_kept),
                cmocka_unit_test(test_head_goes_in_between),
                cmocka_unit_test(test_moved),
                cmocka_unit_test(test_expired),
                cmocka_unit_test(test_expired_too_long),
                cmocka_unit_test(test_expired_and_revoked),
                cmocka_unit_test(test_expired_and_pushing),
                cmocka_unit_test(test_clock_of_a_member_behind),
                cmocka_unit_test(test_clock_ahead),
                cmocka_unit_test(test_clock_words),
                cmocka_unit_test(test_clock_behind),
                cmocka_unit_test(test_when_it_is_due),
                cmocka_unit_test(test_other_facts),
        };
        (void)signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
