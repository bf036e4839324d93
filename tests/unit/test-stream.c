/* The stream: connecting, its output, a layer between it and the socket. */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/time.h"
#include "sys/stream.h"

typedef struct Layer {
        int hands; /* handshake events wanted */
        bool freed;
} Layer;

static int layer_handshake(void *layer, int fd, uint32_t *ret_events)
{
        Layer *l = layer;
        char c;

        if (l->hands == 0)
                return 0;
        if (recv(fd, &c, 1, 0) == 1 && --l->hands == 0)
                return 0;
        *ret_events = EPOLLIN;
        return -EAGAIN;
}

static ssize_t layer_read(void *layer, int fd, void *data, size_t size, uint32_t *ret_events)
{
        ssize_t n = recv(fd, data, size, 0);

        for (ssize_t i = 0; i < n; i++)
                ((uint8_t *)data)[i] ^= 0x55;
        if (n < 0 && errno == EAGAIN)
                *ret_events = EPOLLIN;
        return n < 0 ? -errno : n;
}

static ssize_t layer_write(void *layer, int fd, const void *data, size_t size, uint32_t *ret_events)
{
        uint8_t c = *(const uint8_t *)data ^ 0x55;

        return send(fd, &c, 1, MSG_NOSIGNAL) == 1 ? 1 : -errno;
}

static void layer_free(void *layer)
{
        ((Layer *)layer)->freed = true;
}

typedef struct Fixture {
        bool connected, drained, closed;
        int error;
        char data[64];
        size_t n;
} Fixture;

static void on_connected(Stream *s, void *userdata)
{
        ((Fixture *)userdata)->connected = true;
}

static void on_data(Stream *s, const uint8_t *data, size_t size, void *userdata)
{
        Fixture *f = userdata;

        memcpy(f->data + f->n, data, MIN(size, sizeof(f->data) - f->n));
        f->n += size;
}

static void on_drained(Stream *s, void *userdata)
{
        ((Fixture *)userdata)->drained = true;
}

static void on_closed(Stream *s, int error, void *userdata)
{
        Fixture *f = userdata;

        assert_false(f->closed);
        f->closed = true;
        f->error = error;
}

static const StreamOps stream_ops = {on_connected, on_data, on_drained, on_closed};

static void run_event(sd_event *event)
{
        while (sd_event_run(event, 20 * USEC_PER_MSEC) > 0)
                ;
}

static void test_layer(void **state)
{
        static const StreamLayer layer = {layer_handshake, layer_read, layer_write, layer_free};
        Fixture f = {0};
        Layer l = {.hands = 2};
        sd_event *event = NULL;
        Stream *s = NULL;
        char got[16];
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
        assert_true(sd_event_new(&event) >= 0);
        assert_int_equal(stream_new_fd(event, fds[0], &stream_ops, &f, &s), 0);
        stream_set_layer(s, &layer, &l);
        assert_int_equal(stream_write(s, "early", 5), 0);
        run_event(event);
        assert_false(f.connected);
        assert_int_equal(send(fds[1], "xx", 2, 0), 2);
        run_event(event);
        assert_true(f.connected);
        assert_int_equal(recv(fds[1], got, sizeof(got), 0), 5);
        assert_memory_equal(got, "\x30\x34\x27\x39\x2c", 5);
        assert_int_equal(send(fds[1], "\x3d\x3c", 2, 0), 2);
        run_event(event);
        assert_int_equal(f.n, 2);
        assert_memory_equal(f.data, "hi", 2);
        (void)close(fds[1]);
        run_event(event);
        assert_true(f.closed);
        assert_int_equal(f.error, 0);
        assert_int_equal(stream_write(s, "x", 1), -ENOTCONN);
        stream_free(s);
        assert_true(l.freed);
        sd_event_unref(event);
}

static void test_output(void **state)
{
        static uint8_t chunk[64 << 10];
        Fixture f = {0};
        sd_event *event = NULL;
        Stream *s = NULL;
        int fds[2], r = 0;
        size_t total = 0, got = 0;

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
        assert_true(sd_event_new(&event) >= 0);
        assert_int_equal(stream_new_fd(event, fds[0], &stream_ops, &f, &s), 0);
        run_event(event);
        while ((r = stream_write(s, chunk, sizeof(chunk))) == 0)
                total += sizeof(chunk);
        assert_int_equal(r, -EMSGSIZE);
        assert_true(stream_pending(s) <= STREAM_OUTPUT_MAX);
        while (!f.drained) {
                ssize_t n = recv(fds[1], chunk, sizeof(chunk), 0);
                if (n > 0)
                        got += (size_t)n;
                assert_true(sd_event_run(event, 0) >= 0);
        }
        for (ssize_t n; (n = recv(fds[1], chunk, sizeof(chunk), 0)) > 0;)
                got += (size_t)n;
        assert_int_equal(got, total);
        stream_free(s);
        (void)close(fds[1]);
        sd_event_unref(event);
}

static void test_connect_errors(void **state)
{
        Fixture f = {0};
        sd_event *event = NULL;
        Stream *s = NULL;
        Addr a;

        assert_true(sd_event_new(&event) >= 0);
        assert_int_equal(addr_parse("127.0.0.1", &a), 0);
        assert_int_equal(stream_connect(event, &a, &stream_ops, &f, &s), -EINVAL); /* no port */
        assert_int_equal(stream_connect(event, &(Addr){.port = 1}, &stream_ops, &f, &s), -EINVAL);
        /* known at once, told by the loop all the same */
        assert_int_equal(addr_parse("255.255.255.255", &a), 0);
        a.port = 6379;
        assert_int_equal(stream_connect(event, &a, &stream_ops, &f, &s), 0);
        assert_false(f.closed);
        run_event(event);
        assert_true(f.closed);
        assert_true(f.error < 0);
        assert_false(f.connected);
        stream_free(s);
        sd_event_unref(event);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_layer),
                cmocka_unit_test(test_output),
                cmocka_unit_test(test_connect_errors),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
