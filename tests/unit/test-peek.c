/* A look at a control port: whose head is there, or that there is none. */
#include "gate-world.h"

#include "member/peek.h"

typedef struct Look {
        bool over, head;
        uint8_t pin[PKI_PIN_SIZE];
        Peek *peek;
} Look;

static void on_peek(Peek *p, const uint8_t *pin, void *userdata)
{
        Look *l = userdata;

        assert_false(l->over);
        l->over = true;
        l->head = pin;
        if (pin)
                memcpy(l->pin, pin, sizeof(l->pin));
        l->peek = peek_free(l->peek);
}

static void look(World *w, const Addr *at, Look *l)
{
        usec_t end = now_mono() + BOUND;

        *l = (Look){0};
        assert_int_equal(peek_new(w->event, at, on_peek, l, &l->peek), 0);
        while (!l->over && now_mono() < end)
                assert_true(sd_event_run(w->event, USEC_PER_SEC) >= 0);
        assert_true(l->over);
}

static void test_head(void **state)
{
        uint8_t pin[PKI_PIN_SIZE];
        World w;
        Look l;

        world_init(&w);
        look(&w, &w.at, &l);
        assert_true(l.head);
        pki_cert_pin(authority_cert(w.m.authority), pin);
        assert_memory_equal(l.pin, pin, sizeof(pin));
        /* the head has nothing to tell of it */
        assert_int_equal(w.refused + w.came + w.enrolled, 0);
        world_done(&w);
}

/* Somebody who says nothing; and nobody. */
static void test_no_head(void **state)
{
        World w;
        Addr at;
        Look l;

        world_init(&w);
        int fd = listen_on(&at);
        look(&w, &at, &l);
        assert_false(l.head);
        (void)close(fd);
        look(&w, &at, &l);
        assert_false(l.head);
        world_done(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_head),
                cmocka_unit_test(test_no_head),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
