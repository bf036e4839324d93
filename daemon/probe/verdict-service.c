/* What answers on the connection. */
#include "probe/judge.h"

bool judge_hello(const Evidence *e, Judgement *j)
{
        const HelloFacts *h = &e->hello;

        switch (h->kind) {
        case SERVICE_GRPC:
        case SERVICE_HTTP2:
                return false;
        case SERVICE_UNKNOWN:
                if (!h->asked || !h->stream_known || h->began)
                        say_open(j);
                else if (h->stream.unsent > 0 && h->stream.retransmits >= 2)
                        say(j, VERDICT_HALF_OPEN_PATH, h->second_lost ? PROBE_PROVEN : PROBE_LIKELY,
                            PROBE_DIRECTION_BOTH, PROBE_PLACE_PATH, NULL);
                else if (h->stream.unsent == 0 && h->took >= JUDGE_FROZEN && h->second_spoke)
                        /* or a balancer of which one half is stuck */
                        say(j, VERDICT_MTU_HOLE_IN, PROBE_LIKELY, PROBE_DIRECTION_BACK,
                            PROBE_PLACE_PATH, NULL);
                else if (h->stream.unsent == 0 && h->took >= JUDGE_FROZEN)
                        say_head(e, j, VERDICT_SERVICE_FROZEN,
                                 h->second_silent ? PROBE_PROVEN : PROBE_LIKELY);
                else
                        say_open(j);
                return true;
        case SERVICE_CLOSED:
                if (h->tls)
                        say_head(e, j, VERDICT_TLS_REQUIRED, PROBE_PROVEN);
                else if (h->by_http == SERVICE_HTTP1)
                        say_head(e, j, VERDICT_NOT_RAY, PROBE_PROVEN);
                else
                        say_head(e, j, VERDICT_CLOSED_AFTER_ACCEPT,
                                 h->again ? PROBE_PROVEN : PROBE_LIKELY);
                return true;
        case SERVICE_TLS:
                say_head(e, j, VERDICT_TLS_REQUIRED, PROBE_PROVEN);
                return true;
        case SERVICE_HTTP1:
        case SERVICE_REDIS:
        case SERVICE_SSH:
        case SERVICE_OTHER:
        default:
                say_head(e, j, VERDICT_NOT_RAY, PROBE_PROVEN);
                return true;
        }
}

bool judge_alive(const Evidence *e, Judgement *j)
{
        switch (e->alive.outcome) {
        case ALIVE_OK:
                if (!version_matches(e->head.ray, e->here.ray) ||
                    !version_matches(e->head.python, e->here.python))
                        say_head(e, j, VERDICT_VERSION_MISMATCH, PROBE_PROVEN);
                else
                        return false; /* it serves, and takes us */
                return true;
        case ALIVE_NO_METHOD:
                say_head(e, j, VERDICT_NOT_RAY, PROBE_PROVEN);
                return true;
        case ALIVE_TOKEN:
                say_head(e, j, e->has_token ? VERDICT_TOKEN_WRONG : VERDICT_TOKEN_REQUIRED,
                         PROBE_PROVEN);
                return true;
        case ALIVE_WRONG_CLUSTER:
                say_head(e, j, VERDICT_WRONG_CLUSTER, PROBE_PROVEN);
                return true;
        case ALIVE_SILENT:
                if (e->large.out == LARGE_HOLE || e->large.in == LARGE_HOLE)
                        return false; /* that is why */
                say_head(e, j, VERDICT_SERVICE_FROZEN, PROBE_LIKELY);
                return true;
        case ALIVE_GARBAGE:
                say_head(e, j, VERDICT_NOT_RAY, PROBE_LIKELY);
                return true;
        case ALIVE_CLOSED:
                say_head(e, j, VERDICT_CLOSED_AFTER_ACCEPT, PROBE_LIKELY);
                return true;
        case ALIVE_NOT_ASKED:
        case ALIVE_OTHER:
        default:
                say_open(j);
                return true;
        }
}
