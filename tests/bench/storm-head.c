/* The head's side of the control port as its daemon has it, and nothing else of the daemon: the
 * authority, the store, the gate.
 *
 *   storm-head DIR PORT [BEAT]          answers "at ADDRESS" when it listens
 *   token USES -> the text of a token   stat -> counts, and bytes on the heap
 */
#include <malloc.h>

#include "base/fd.h"
#include "member/gate.h"
#include "member/mint.h"
#include "storm.h"
#include "sys/listen.h"

#define LIFE (60 * USEC_PER_MIN)

typedef struct Side {
        Authority *authority;
        Db *db;
        Gate *gate;
        unsigned enrolled, refused, came, lost;
} Side;

static void on_enrolled(Gate *g, const MemberRow *m, const Addr *from, void *userdata)
{
        ((Side *)userdata)->enrolled++;
}

static void on_refused(Gate *g, const MemberRefused *r, const char *name, const Addr *from,
                       int error, usec_t locked, void *userdata)
{
        ((Side *)userdata)->refused++;
}

static void on_member(Gate *g, const GateMember *m, void *userdata)
{
        ((Side *)userdata)->came++;
}

static void on_lost(Gate *g, const GateMember *m, GateLoss why, void *userdata)
{
        ((Side *)userdata)->lost++;
}

static void on_copied(Gate *g, const GateMember *here, const GateMember *there, void *userdata)
{
}

static void say_token(Side *s, unsigned uses)
{
        uint8_t pins[1][STORE_PIN_SIZE];
        _cleanup_free_ char *text = NULL;
        TokenTerms terms = {.expires = usec_add(now_real(), LIFE), .uses = uses};
        char id[STORE_ID_MAX];

        pki_cert_pin(authority_cert(s->authority), pins[0]);
        int r = token_mint(s->db, pins, 1, &terms, now_real(), id, &text);
        if (r < 0)
                STORM_DIE("token: %s", strerror(-r));
        puts(text);
}

static void on_line(char *line, void *userdata)
{
        Side *s = userdata;

        if (startswith(line, "token "))
                say_token(s, (unsigned)atoi(line + strlen("token ")));
        else if (streq(line, "stat"))
                printf("members %zu strangers %zu enrolled %u refused %u came %u lost %u heap "
                       "%zu\n",
                       gate_count(s->gate), gate_strangers(s->gate), s->enrolled, s->refused,
                       s->came, s->lost, mallinfo2().uordblks);
        else
                STORM_DIE("what is \"%s\"?", line);
        (void)fflush(stdout);
}

static void open_side(Side *s, sd_event *event, const char *dir, uint16_t port, usec_t beat)
{
        static const GateOps ops = {.on_enrolled = on_enrolled,
                                    .on_refused = on_refused,
                                    .on_member = on_member,
                                    .on_lost = on_lost,
                                    .on_copied = on_copied};
        _cleanup_free_ char *path = path_join(dir, "members.db"), *error = NULL;
        AuthorityPolicy a = {.dir = dir, .node = "headnode", .name = "head"};
        int fd = -1;

        int r = authority_open(&a, now_real(), &s->authority, &error);
        if (r < 0)
                STORM_DIE("%s", strna(error));
        r = store_open(strempty(path), &s->db);
        if (r >= 0)
                r = tcp_listen(port, GATE_BACKLOG, &fd);
        GatePolicy p = {.authority = s->authority,
                        .db = s->db,
                        .cluster = "storm",
                        .ray_token = "0123456789abcdef0123456789abcdef",
                        .beat = beat};
        if (r >= 0)
                r = gate_new(event, fd, &p, &ops, s, &s->gate);
        if (r < 0)
                STORM_DIE("storm-head: %s", strerror(-r));
}

int main(int argc, char **argv)
{
        Side s = {0};
        StormInput in = {.cb = on_line, .userdata = &s};
        sd_event *event = NULL;

        if (argc < 3)
                STORM_DIE("storm-head DIR PORT [BEAT-MS]");
        storm_limits();
        if (sd_event_new(&event) < 0)
                STORM_DIE("no loop");
        open_side(&s, event, argv[1], (uint16_t)atoi(argv[2]),
                  argc > 3 ? (usec_t)atoi(argv[3]) * USEC_PER_MSEC : 0);
        storm_input(event, &in);
        puts("listens");
        (void)fflush(stdout);
        int r = sd_event_loop(event);
        gate_free(s.gate);
        db_free(s.db);
        authority_free(s.authority);
        sd_event_unref(event);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
