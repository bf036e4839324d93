/* A large transfer over lines that come up late, or never. */
#include "test.h"

#include "base/alloc.h"
#include "reflect/bulk.h"

#define BOUND (10 * USEC_PER_SEC)

/* Lines of which the first `mute` never come up; a later one answers as a reflector would. */
typedef struct World {
        Transport transport; /* first */
        sd_event *event;
        unsigned mute, opened;
        bool over;
        BulkResult result;
} World;

typedef struct FakeLine {
        Line line; /* first */
        LineOps ops;
        void *userdata;
        bool up;
        sd_event_source *defer;
} FakeLine;

static int on_defer(sd_event_source *s, void *userdata)
{
        FakeLine *f = userdata;
        _cleanup_buf_ Buf out = {0};
        ReflectReply p = {.received = REFLECT_BULK_MAX};

        if (!f->up) {
                f->up = true;
                f->ops.on_up(&f->line, f->userdata);
                return 0;
        }
        assert_int_equal(reflect_encode_reply(&out, &p), 0);
        f->ops.on_reply(&f->line, buf_data(&out), buf_size(&out), f->userdata);
        return 0;
}

static int fake_send(Line *l, const void *body, size_t size)
{
        FakeLine *f = (FakeLine *)l;
        return sd_event_source_set_enabled(f->defer, SD_EVENT_ONESHOT);
}

static void fake_progress(const Line *l, LineProgress *ret)
{
        *ret = (LineProgress){0};
}

static Line *fake_free(Line *l)
{
        FakeLine *f = (FakeLine *)l;
        sd_event_source_disable_unref(f->defer);
        free(f);
        return NULL;
}

static const LineVtable fake_vtable = {
        .send = fake_send, .progress = fake_progress, .free = fake_free};

static int fake_open(const Transport *t, sd_event *event, const LinePolicy *policy,
                     const LineOps *ops, void *userdata, Line **ret)
{
        World *w = (World *)t;
        FakeLine *f = new0(FakeLine, 1);

        assert_non_null(f);
        *f = (FakeLine){.line = {&fake_vtable}, .ops = *ops, .userdata = userdata};
        assert_true(sd_event_add_defer(event, &f->defer, on_defer, f) >= 0);
        if (w->opened++ < w->mute)
                assert_true(sd_event_source_set_enabled(f->defer, SD_EVENT_OFF) >= 0);
        *ret = &f->line;
        return 0;
}

static void on_result(Bulk *b, const BulkResult *r, void *userdata)
{
        World *w = userdata;
        w->result = *r;
        w->over = true;
}

static void transfer(World *w, unsigned mute)
{
        _cleanup_(bulk_freep) Bulk *b = NULL;
        LinePolicy policy = {0};

        *w = (World){.transport = {.open = fake_open}, .mute = mute};
        assert_true(sd_event_new(&w->event) >= 0);
        assert_int_equal(bulk_new(w->event, &w->transport, &policy, REFLECT_UP, on_result, w, &b),
                         0);
        for (usec_t end = now_mono() + BOUND; !w->over;) {
                assert_true(now_mono() < end);
                assert_true(sd_event_run(w->event, BOUND) >= 0);
        }
        b = bulk_free(b);
        w->event = sd_event_unref(w->event);
}

static void test_lines(void **state)
{
        World w;

        transfer(&w, 0);
        assert_true(w.result.known);
        assert_int_equal(w.opened, 1);
        transfer(&w, 2);
        assert_true(w.result.known);
        assert_false(w.result.stalled);
        assert_int_equal(w.opened, 3);
}

/* No line at all tells nothing. */
static void test_no_line(void **state)
{
        World w;

        transfer(&w, 100);
        assert_false(w.result.known || w.result.stalled || w.result.small);
        assert_int_equal(w.opened, 3);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lines),
                cmocka_unit_test(test_no_line),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
