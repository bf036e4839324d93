/* disco: order and rules, what is remembered, and an avahi-daemon that misbehaves. */
#include "test.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/strv.h"
#include "base/time.h"
#include "disco/disco.h"
#include "disco/ownaddr.h"
#include "disco/publish.h"
#include "disco/source.h"
#include "fake-avahi.h"

typedef struct World {
        Broker broker;
        sd_event *event;
        Bus *bus;
        FakeAvahi avahi;
        DiscoSettings settings;
        Disco *disco;
        Publisher *publisher;
        char dir[32], last[64];
        unsigned changes;
        bool free_in_change;
} World;

static int setup(void **state)
{
        World *w = new0(World, 1);

        *state = w;
        if (!broker_start(&w->broker)) {
                print_message("no dbus-daemon on this machine\n");
                w->broker.address[0] = 0;
        }
        assert_int_equal(sd_event_new(&w->event), 0);
        if (w->broker.address[0])
                assert_int_equal(bus_new(w->event, w->broker.address, &w->bus), 0);
        w->settings = (DiscoSettings){.cluster = (char *)"default",
                                      .head = (char *)"",
                                      .domain = (char *)"",
                                      .order = {DISCO_MDNS, DISCO_LAST_KNOWN},
                                      .n_order = 2,
                                      .timeout = 400 * USEC_PER_MSEC,
                                      .control_port = 6388,
                                      .gcs_port = 6379};
        strcpy(w->dir, "/tmp/test-disco.XXXXXX");
        assert_non_null(mkdtemp(w->dir));
        (void)snprintf(w->last, sizeof(w->last), "%s/last-known", w->dir);
        return 0;
}

static int teardown(void **state)
{
        World *w = *state;

        disco_free(w->disco);
        publisher_free(w->publisher);
        fake_avahi_stop(&w->avahi);
        bus_free(w->bus);
        sd_event_unref(w->event);
        broker_stop(&w->broker);
        (void)unlink(w->last);
        (void)rmdir(w->dir);
        free(w);
        return 0;
}

static void need_bus(const World *w)
{
        if (!w->broker.address[0])
                skip();
}

static void on_change(Disco *d, void *userdata)
{
        World *w = userdata;
        w->changes++;
        if (w->free_in_change)
                w->disco = disco_free(w->disco);
}

static void start(World *w)
{
        static const DiscoOps ops = {.on_change = on_change};
        assert_int_equal(disco_new(w->event, w->bus, &w->settings, w->last, &ops, w, &w->disco), 0);
        assert_int_equal(disco_start(w->disco), 0);
        assert_int_equal(w->changes, 0); /* never from the call itself */
}

static void write_last(const World *w, const char *text)
{
        assert_int_equal(write_file_atomic(w->last, text, strlen(text), 0640, (gid_t)-1), 0);
}

static bool says(const World *w, DiscoSource source, SourceState state, const char *text)
{
        DiscoReport reports[_DISCO_SOURCE_MAX];

        size_t n = disco_reports(w->disco, reports);
        for (size_t i = 0; i < n; i++)
                if (reports[i].source == source)
                        return reports[i].state == state && strstr(strempty(reports[i].text), text);
        return false;
}

/* Runs the loop until the condition holds, at most ten seconds. */
#define UNTIL(w, condition)                                                                        \
        do {                                                                                       \
                usec_t _end = now_mono() + 10 * USEC_PER_SEC;                                      \
                while (!(condition) && now_mono() < _end)                                          \
                        assert_true(sd_event_run((w)->event, USEC_PER_SEC / 5) >= 0);              \
                if (!(condition))                                                                  \
                        dump(w);                                                                   \
                assert_true(condition);                                                            \
        } while (0)

static void dump(const World *w)
{
        DiscoReport reports[_DISCO_SOURCE_MAX];

        for (size_t i = 0, n = w->disco ? disco_reports(w->disco, reports) : 0; i < n; i++)
                print_message("%s %s: %s\n", disco_source_to_string(reports[i].source),
                              source_state_to_string(reports[i].state), reports[i].text);
        if (w->publisher)
                print_message("%s\n", publisher_text(w->publisher));
}

#define HEAD(n, addr, ...)                                                                         \
        {                                                                                          \
                .name = n, .host = n ".local", .address = addr, .txt = {__VA_ARGS__}, .ifindex = 1 \
        }

/* --- addresses ---------------------------------------------------------------------------------
 */

static Addr addr_of(const char *text)
{
        Addr a;

        assert_int_equal(addr_parse(text, &a), 0);
        return a;
}

static void test_control_addrs(void **state)
{
        Candidate many = {.n_addrs = CANDIDATE_ADDRS_MAX, .control_port = 6388};
        Candidate one = {.addrs = {addr_of("10.9.0.1")}, .n_addrs = 1, .control_port = 1};
        Candidate silent = {.addrs = {addr_of("10.9.0.2")}, .n_addrs = 1};
        const Candidate *list[] = {&many, &one, &silent};
        Addr got[32];
        char text[ADDR_PORT_MAX];

        for (unsigned i = 0; i < CANDIDATE_ADDRS_MAX; i++) {
                (void)snprintf(text, sizeof(text), "10.1.0.%u", i);
                many.addrs[i] = addr_of(text);
        }
        assert_int_equal(candidates_control(list, 3, 6388, got, ELEMENTSOF(got)), 19);
        assert_string_equal(addr_format_port(text, &got[0]), "10.1.0.0:6388");
        /* a wrong port in an announcement is no way to hide a head */
        assert_string_equal(addr_format_port(text, &got[1]), "10.9.0.1:1");
        assert_string_equal(addr_format_port(text, &got[2]), "10.9.0.1:6388");
        assert_string_equal(addr_format_port(text, &got[3]), "10.9.0.2:6388");
        assert_string_equal(addr_format_port(text, &got[4]), "10.1.0.1:6388");
        assert_int_equal(candidates_control(list, 3, 6388, got, 4), 4);
        list[1] = &many;
        assert_int_equal(candidates_control(list, 2, 6388, got, ELEMENTSOF(got)), 16);
        assert_true(candidate_has(&one, &got[0]) == false && candidate_has(&many, &got[0]));
}

static void test_add_addrs(void **state)
{
        Candidate c = {0};
        Addr a[CANDIDATE_ADDRS_MAX + 4];

        for (size_t i = 0; i < ELEMENTSOF(a); i++)
                a[i] = (Addr){.family = AF_INET, .in.s_addr = htonl(0x0a000001U + (uint32_t)i)};
        assert_int_equal(addr_parse("2001:db8::1", &a[0]), 0);
        assert_int_equal(addr_parse("fe80::1", &a[1]), 0);
        assert_int_equal(addr_parse("127.0.0.1", &a[2]), 0);
        a[4] = a[3];
        assert_int_equal(candidate_add_addrs(&c, a, 6, 6379), 3);
        assert_int_equal(c.addrs[0].family, AF_INET);
        assert_int_equal(c.addrs[2].family, AF_INET6);
        assert_int_equal(c.addrs[2].port, 6379);
        assert_int_equal(candidate_add_addrs(&c, a, ELEMENTSOF(a), 6379), CANDIDATE_ADDRS_MAX - 3);
        assert_int_equal(c.n_addrs, CANDIDATE_ADDRS_MAX);
        assert_int_equal(c.addrs[CANDIDATE_ADDRS_MAX - 1].family, AF_INET6);
}

/* --- order and memory --------------------------------------------------------------------------
 */

static void test_static(void **state)
{
        World *w = *state;

        w->settings.head = (char *)"192.0.2.4"; /* static is asked though it is not in the order */
        start(w);
        UNTIL(w, disco_best(w->disco));
        assert_int_equal(disco_best(w->disco)->source, DISCO_STATIC);
        assert_int_equal(disco_best(w->disco)->addrs[0].port, 6379);
        assert_true(says(w, DISCO_MDNS, SOURCE_IDLE, "cluster.head is set"));
        assert_true(says(w, DISCO_STATIC, SOURCE_FOUND, "cluster.head is 192.0.2.4"));

        /* what is asked again and answers the same is no change */
        unsigned before = w->changes;
        disco_refresh(w->disco);
        while (sd_event_run(w->event, 0) > 0)
                ;
        assert_int_equal(w->changes, before);

        assert_int_equal(disco_remember(w->disco, disco_best(w->disco)), 0);
        struct stat st;
        assert_int_equal(stat(w->last, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0640);
        w->disco = disco_free(w->disco);

        w->settings.head = (char *)"";
        w->settings.order[0] = DISCO_STATIC;
        w->changes = 0;
        start(w);
        UNTIL(w, disco_best(w->disco));
        assert_int_equal(disco_best(w->disco)->source, DISCO_LAST_KNOWN);
        assert_string_equal(disco_best(w->disco)->name, "192.0.2.4");
        assert_true(says(w, DISCO_STATIC, SOURCE_NOTHING, "cluster.head is not set"));
        w->disco = disco_free(w->disco);

        w->settings.cluster = (char *)"physics";
        w->changes = 0;
        start(w);
        UNTIL(w, says(w, DISCO_LAST_KNOWN, SOURCE_NOTHING, "cluster \"default\", not to"));
        assert_null(disco_best(w->disco));
}

static void test_last_known_damaged(void **state)
{
        World *w = *state;

        write_last(w, "raycluster-last-known=1\naddress=x\n");
        w->settings.order[0] = DISCO_LAST_KNOWN;
        w->settings.n_order = 1;
        start(w);
        UNTIL(w, says(w, DISCO_LAST_KNOWN, SOURCE_FAILED, "is damaged"));
        Candidate none = {.name = (char *)"x"};
        assert_int_equal(disco_remember(w->disco, &none), -EINVAL);
}

static void test_freed_in_change(void **state)
{
        World *w = *state;

        w->settings.head = (char *)"192.0.2.4";
        w->free_in_change = true;
        start(w);
        while (w->disco)
                assert_true(sd_event_run(w->event, USEC_PER_SEC) >= 0);
        while (sd_event_run(w->event, 0) > 0)
                ;
        assert_int_equal(w->changes, 1);
}

/* --- mDNS --------------------------------------------------------------------------------------
 */

static void test_mdns_one(void **state)
{
        static const FakeService services[] = {
                HEAD("physics", "10.0.0.9", "cluster=physics", "role=head"),
                HEAD("worker", "10.0.0.8", "cluster=default", "role=worker"),
                HEAD("compute04", "10.0.0.4", "cluster=default", "id=ab", "gcs=6400"),
        };
        World *w = *state;

        need_bus(w);
        w->avahi = (FakeAvahi){.services = services, .n_services = 3, .garbage = true};
        fake_avahi_start(&w->avahi, w->event, &w->broker);
        start(w);
        UNTIL(w, disco_best(w->disco));
        const Candidate *c = disco_best(w->disco);
        assert_string_equal(c->name, "compute04.local");
        assert_string_equal(c->id, "ab");
        assert_int_equal(c->n_addrs, 1);
        assert_int_equal(c->addrs[0].port, 6400);
        assert_int_equal(c->control_port, 6388);
        assert_string_equal(c->how, "mDNS on lo");
}

static void test_mdns_ambiguous(void **state)
{
        static const FakeService services[] = {
                HEAD("compute04", "10.0.0.4", "cluster=default", "id=ab"),
                HEAD("compute05", "10.0.0.5", "cluster=default", "id=cd"),
        };
        static const FakeService same[] = {
                HEAD("compute04", "10.0.0.4", "cluster=default", "id=ab"),
                HEAD("compute04 #2", "10.0.0.5", "cluster=default", "id=ab"),
        };
        World *w = *state;

        need_bus(w);
        /* a remembered head is no way out: nobody knows which of the two it is */
        write_last(w, "raycluster-last-known=1\ncluster=default\nname=x\ncontrol=1\n"
                      "address=10.0.0.4:6379\n");
        w->avahi = (FakeAvahi){.services = services, .n_services = 2};
        fake_avahi_start(&w->avahi, w->event, &w->broker);
        start(w);
        UNTIL(w, disco_ambiguous(w->disco));
        assert_true(says(w, DISCO_LAST_KNOWN, SOURCE_FOUND, "x served last"));
        assert_null(disco_best(w->disco));
        const char *text = disco_ambiguous(w->disco);
        assert_non_null(strstr(text, "2 heads answer to cluster \"default\""));
        assert_non_null(strstr(text, "compute04.local (10.0.0.4, mDNS on lo)"));
        assert_non_null(strstr(text, "compute05.local (10.0.0.5, mDNS on lo)"));
        assert_non_null(strstr(text, "say which one by cluster.head, or join with a token"));
        /* who can tell heads apart sees all of them, of each source the first one first */
        const Candidate *all[DISCO_CANDIDATES_MAX];
        assert_int_equal(disco_candidates(w->disco, all), 3);
        assert_string_equal(all[0]->name, "compute04.local");
        assert_string_equal(all[1]->name, "x");
        assert_string_equal(all[2]->name, "compute05.local");
        w->disco = disco_free(w->disco);

        w->avahi.services = same;
        w->changes = 0;
        start(w);
        UNTIL(w, disco_best(w->disco));
        assert_int_equal(disco_best(w->disco)->n_addrs, 2);
        assert_null(disco_ambiguous(w->disco));
}

static void test_mdns_flood_foreign(void **state)
{
        static const FakeService services[] = {
                HEAD("noise", "10.0.0.9", "cluster=noise"),
        };
        static const FakeService late[] = {
                HEAD("noise", "10.0.0.9", "cluster=noise"),
                HEAD("compute04", "10.0.0.4", "cluster=default", "id=ab"),
        };
        World *w = *state;

        need_bus(w);
        w->avahi = (FakeAvahi){.services = services, .n_services = 1, .n_made = 300};
        fake_avahi_start(&w->avahi, w->event, &w->broker);
        start(w);
        UNTIL(w, says(w, DISCO_MDNS, SOURCE_NOTHING, "heads of other clusters"));
        assert_true(w->avahi.n_max <= 64 * 3 + 1);
        /* ours comes when the table is full of others: one of them makes way */
        w->avahi.services = late;
        w->avahi.n_services = 2;
        const char *us;
        assert_true(sd_bus_get_unique_name(bus_get(w->bus), &us) >= 0);
        fake_item(&w->avahi, us, "/browser/0", "ItemNew", &late[1], "compute04");
        UNTIL(w, disco_best(w->disco));
        assert_string_equal(disco_best(w->disco)->name, "compute04.local");
}

static void test_mdns_flood_mute(void **state)
{
        static const FakeService services[] = {HEAD("noise", "10.0.0.9", "cluster=noise")};
        World *w = *state;

        need_bus(w);
        w->avahi = (FakeAvahi){
                .services = services, .n_services = 1, .n_made = 300, .mute_resolve = true};
        fake_avahi_start(&w->avahi, w->event, &w->broker);
        start(w);
        UNTIL(w,
              says(w, DISCO_MDNS, SOURCE_NOTHING, "instances more than the 64 followed, ignored"));
        assert_true(w->avahi.n_max <= 64 + 1);
}

static void test_mdns_flood_ours(void **state)
{
        static const FakeService services[] = {HEAD("twin", "10.0.0.9", "cluster=default")};
        World *w = *state;

        need_bus(w);
        w->avahi = (FakeAvahi){.services = services, .n_services = 1, .n_made = 300};
        fake_avahi_start(&w->avahi, w->event, &w->broker);
        start(w);
        UNTIL(w, disco_ambiguous(w->disco));
        UNTIL(w, says(w, DISCO_MDNS, SOURCE_FOUND, "followed, ignored"));
        assert_null(disco_best(w->disco));
        assert_true(strlen(disco_ambiguous(w->disco)) < 1024); /* SOURCE_CANDIDATES_MAX of them */
        const Candidate *all[DISCO_CANDIDATES_MAX];
        assert_int_equal(disco_candidates(w->disco, all), SOURCE_CANDIDATES_MAX);
        assert_string_equal(all[0]->name, "twin.local"); /* heard first, and not pushed out */
}

static void test_mdns_no_answer(void **state)
{
        World *w = *state;

        need_bus(w);
        w->avahi = (FakeAvahi){.mute_browse = true};
        fake_avahi_start(&w->avahi, w->event, &w->broker);
        start(w);
        UNTIL(w, says(w, DISCO_MDNS, SOURCE_FAILED, "avahi-daemon does not answer"));
        UNTIL(w, says(w, DISCO_LAST_KNOWN, SOURCE_NOTHING, "no head has served"));
}

static void test_mdns_restart(void **state)
{
        static const FakeService services[] = {
                HEAD("compute04", "10.0.0.4", "cluster=default", "id=ab")};
        World *w = *state;

        need_bus(w);
        start(w);
        UNTIL(w, says(w, DISCO_MDNS, SOURCE_FAILED, "avahi-daemon is not running"));
        /* it comes, and goes in the middle of the browse */
        w->avahi = (FakeAvahi){.services = services, .n_services = 1, .mute_resolve = true};
        fake_avahi_start(&w->avahi, w->event, &w->broker);
        UNTIL(w, w->avahi.n_objects >= 2);
        fake_avahi_stop(&w->avahi);
        UNTIL(w, says(w, DISCO_MDNS, SOURCE_FAILED, "avahi-daemon is not running"));
        w->avahi.mute_resolve = false;
        fake_avahi_start(&w->avahi, w->event, &w->broker);
        UNTIL(w, disco_best(w->disco));
        fake_avahi_stop(&w->avahi);
        UNTIL(w, !disco_best(w->disco));
}

static void test_no_bus(void **state)
{
        World *w = *state;
        Bus *bus = w->bus;

        w->bus = NULL;
        start(w);
        w->bus = bus;
        UNTIL(w, says(w, DISCO_MDNS, SOURCE_FAILED, "the system bus cannot be reached"));
}

/* --- publishing --------------------------------------------------------------------------------
 */

static void on_published(Publisher *p, void *userdata)
{
        ((World *)userdata)->changes++;
}

static void publisher(World *w)
{
        static const PublisherOps ops = {.on_change = on_published};
        assert_int_equal(publisher_new(w->bus, &ops, w, &w->publisher), 0);
}

static void test_publish_limits(void **state)
{
        World *w = *state;
        char name[80];
        _cleanup_strv_free_ char **txt = NULL;

        publisher(w);
        memset(name, 'x', sizeof(name));
        name[64] = 0;
        assert_int_equal(publisher_set(w->publisher, name, 6388, NULL), -EINVAL);
        assert_int_equal(publisher_set(w->publisher, "", 6388, NULL), -EINVAL);
        assert_int_equal(publisher_set(w->publisher, "x", 0, NULL), -EINVAL);
        for (int i = 0; i < 12; i++)
                assert_int_equal(strv_extendf(&txt, "key%d=%s", i, name + 30), 0);
        assert_int_equal(publisher_set(w->publisher, "x", 6388, txt), -E2BIG);
        assert_string_equal(publisher_text(w->publisher), "not published");
        name[63] = 0;
        assert_int_equal(publisher_set(w->publisher, name, 6388, NULL), 0);
        assert_false(publisher_is_published(w->publisher));
}

static void test_publish(void **state)
{
        World *w = *state;
        char *const txt[] = {(char *)"txtvers=1", (char *)"cluster=default", NULL};

        need_bus(w);
        publisher(w);
        assert_int_equal(publisher_set(w->publisher, "lab1 head", 6388, txt), 0);
        UNTIL(w, strstr(publisher_text(w->publisher), "avahi-daemon is not running"));
        fake_avahi_start(&w->avahi, w->event, &w->broker);
        UNTIL(w, publisher_is_published(w->publisher));
        assert_string_equal(publisher_text(w->publisher), "published as 'lab1 head' on port 6388");
        fake_avahi_stop(&w->avahi);
        UNTIL(w, !publisher_is_published(w->publisher));
        fake_avahi_start(&w->avahi, w->event, &w->broker);
        UNTIL(w, publisher_is_published(w->publisher));
        assert_int_equal(w->avahi.n_groups, 2);
        /* what is asked for again is there already */
        assert_int_equal(publisher_set(w->publisher, "lab1 head", 6388, txt), 0);
        assert_true(publisher_is_published(w->publisher));
        unsigned before = w->changes;
        publisher_withdraw(w->publisher);
        assert_false(publisher_is_published(w->publisher));
        assert_int_equal(w->changes, before + 1);
        UNTIL(w, w->avahi.n_freed == 1);
}

static void test_publish_collisions(void **state)
{
        World *w = *state;

        need_bus(w);
        w->avahi.always_collides = true;
        fake_avahi_start(&w->avahi, w->event, &w->broker);
        publisher(w);
        assert_int_equal(publisher_set(w->publisher, "head", 6388, NULL), 0);
        UNTIL(w, strstr(publisher_text(w->publisher), "16 like it are taken"));
        assert_int_equal(w->avahi.n_added, 17);

        w->avahi.always_collides = false;
        w->avahi.add_error = "org.freedesktop.Avahi.InvalidServiceNameError";
        assert_int_equal(publisher_set(w->publisher, "head", 6388, NULL), 0);
        UNTIL(w, strstr(publisher_text(w->publisher), "not published: Not this one"));
        w->avahi.add_error = NULL;
        assert_int_equal(publisher_set(w->publisher, "head", 6388, NULL), 0);
        UNTIL(w, publisher_is_published(w->publisher));
}

/* --- own address -------------------------------------------------------------------------------
 */

static void test_own_address(void **state)
{
        NodeSettings node = {.address = (char *)"127.0.0.1", .interface = (char *)""};
        _cleanup_free_ char *why = NULL, *why2 = NULL, *why3 = NULL;
        Addr a = {0};

        assert_int_equal(own_address(&node, ROLE_WORKER, NULL, &a, &why), 1);
        assert_true(addr_is_loopback(&a));
        assert_null(why);
        node.address = (char *)"192.0.2.77";
        assert_int_equal(own_address(&node, ROLE_HEAD, NULL, &a, &why), 0);
        assert_non_null(strstr(why, "node.address: 192.0.2.77 is not an address of this machine"));
        node.address = (char *)"";
        node.interface = (char *)"nonesuch0";
        assert_int_equal(own_address(&node, ROLE_HEAD, NULL, &a, &why2), 0);
        assert_non_null(strstr(why2, "there is no interface nonesuch0"));
        node.interface = (char *)"";
        assert_int_equal(own_address(&node, ROLE_WORKER, NULL, &a, &why3), 0);
        assert_string_equal(why3, "the head's address is not known yet");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_add_addrs),
                cmocka_unit_test(test_control_addrs),
                T(test_static),
                T(test_last_known_damaged),
                T(test_freed_in_change),
                T(test_mdns_one),
                T(test_mdns_ambiguous),
                T(test_mdns_flood_foreign),
                T(test_mdns_flood_mute),
                T(test_mdns_flood_ours),
                T(test_mdns_no_answer),
                T(test_mdns_restart),
                T(test_no_bus),
                T(test_publish_limits),
                T(test_publish),
                T(test_publish_collisions),
                cmocka_unit_test(test_own_address),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
