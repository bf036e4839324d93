/* What a server may say to our HTTP/2 client: two calls on a connection over a socket pair whose
 * other end says the input and closes. Each call must end exactly once. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/grpc-call.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_done(GrpcCall *call, const GrpcResult *result, void *userdata)
{
        unsigned *n = userdata;

        if (!result->text || (result->outcome == GRPC_ANSWERED && result->status < 0))
                abort();
        (*n)++;
}

static void run(sd_event *event, const uint8_t *data, size_t size, int fds[2])
{
        _cleanup_(h2_freep) H2 *h = NULL;
        _cleanup_(grpc_call_freep) GrpcCall *a = NULL, *b = NULL;
        GrpcRequest request = {.path = "/a.B/C", .timeout = USEC_PER_SEC * 3600, .reply_max = 4096};
        unsigned n = 0;

        if (h2_new_fd(event, fds[0], "fuzz", NULL, NULL, &h) < 0)
                return;
        fds[0] = -1;
        if (grpc_call_new(event, h, &request, on_done, &n, &a) < 0 ||
            grpc_call_new(event, h, &request, on_done, &n, &b) < 0)
                return;
        if (send(fds[1], data, size, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)size)
                return;
        (void)shutdown(fds[1], SHUT_WR);
        while (n < 2)
                if (sd_event_run(event, USEC_PER_SEC * 5) <= 0)
                        abort();
        while (sd_event_run(event, 0) > 0)
                ;
        if (n != 2)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        sd_event *event = NULL;
        int fds[2];

        if (size > 65536 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) < 0)
                return 0;
        if (sd_event_new(&event) >= 0)
                run(event, data, size, fds);
        sd_event_unref(event);
        for (int i = 0; i < 2; i++)
                if (fds[i] >= 0)
                        (void)close(fds[i]);
        return 0;
}
