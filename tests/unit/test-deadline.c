/* sys/deadline: what is ready comes first, and nothing holds a deadline up for ever. */
#include "test.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "sys/deadline.h"

#define NEIGHBOURS 5

typedef struct World {
        sd_event *event;
        sd_event_source *neighbours[NEIGHBOURS], *answer;
        int fd; /* ready, always */
        Deadline *deadline;
        unsigned turns; /* of the neighbours */
        bool answered, expired;
} World;

static int on_neighbour(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        World *w = userdata;

        w->turns++;
        return 0;
}

static int on_answer(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        World *w = userdata;

        w->answered = true;
        w->deadline = deadline_free(w->deadline);
        w->answer = sd_event_source_disable_unref(w->answer);
        return 0;
}

static void on_expired(void *userdata)
{
        World *w = userdata;

        w->expired = true;
        w->deadline = deadline_free(w->deadline);
}

static sd_event_source *add(World *w, sd_event_io_handler_t handler)
{
        sd_event_source *s = NULL;
        int fd = dup(w->fd);

        assert_true(sd_event_add_io(w->event, &s, fd, EPOLLIN, handler, w) >= 0);
        assert_true(sd_event_source_set_io_fd_own(s, true) >= 0);
        return s;
}

static int setup(void **state)
{
        World *w = new0(World, 1);

        assert_true(sd_event_new(&w->event) >= 0);
        w->fd = eventfd(1, EFD_CLOEXEC);
        assert_true(w->fd >= 0);
        for (size_t i = 0; i < NEIGHBOURS; i++)
                w->neighbours[i] = add(w, on_neighbour);
        *state = w;
        return 0;
}

static int teardown(void **state)
{
        World *w = *state;

        deadline_free(w->deadline);
        sd_event_source_disable_unref(w->answer);
        for (size_t i = 0; i < NEIGHBOURS; i++)
                sd_event_source_disable_unref(w->neighbours[i]);
        sd_event_unref(w->event);
        close(w->fd);
        free(w);
        return 0;
}

static void run(World *w)
{
        for (int i = 0; i < 1000 && !w->answered && !w->expired; i++)
                assert_true(sd_event_run(w->event, 10 * USEC_PER_MSEC) >= 0);
}

/* The loop gets to run when all is due at once: whatever the order, the answer counts. */
static void test_answer_first(void **state)
{
        World *w = *state;

        for (int i = 0; i < 50; i++) {
                w->answered = false;
                assert_int_equal(deadline_new(w->event, 0, 1, on_expired, w, &w->deadline), 0);
                w->answer = add(w, on_answer);
                run(w);
                assert_true(w->answered);
                assert_false(w->expired);
        }
}

/* Sources that are ready for ever have their turn, and then it expires. */
static void test_expires(void **state)
{
        World *w = *state;

        assert_int_equal(deadline_new(w->event, 0, 1, on_expired, w, &w->deadline), 0);
        run(w);
        assert_true(w->expired);
        assert_in_range(w->turns, NEIGHBOURS, 4 * NEIGHBOURS);
}

static void test_move(void **state)
{
        World *w = *state;

        assert_int_equal(deadline_new(w->event, USEC_INFINITY, 1, on_expired, w, &w->deadline), 0);
        run(w);
        assert_false(w->expired);
        assert_int_equal(deadline_move(w->deadline, 0), 0);
        assert_int_equal(deadline_move(w->deadline, USEC_INFINITY), 0);
        run(w);
        assert_false(w->expired);
        assert_int_equal(deadline_move(w->deadline, 0), 0);
        run(w);
        assert_true(w->expired);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_answer_first, setup, teardown),
                cmocka_unit_test_setup_teardown(test_expires, setup, teardown),
                cmocka_unit_test_setup_teardown(test_move, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
