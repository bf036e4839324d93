/* Many machines in one process, each with a key, a certificate and a connection of its own: join
 * and then stay connected, by the code that a worker's daemon has.
 *
 *   storm-workers DIR NETWORK PORT      machine i dials, and so comes from, the address NETWORK + i
 *   token TEXT        for those that enrol from now on
 *   enrol FROM TO     those machines join, and stay connected when they have
 *   dial FROM TO      those that have joined before connect
 *   stat              counts
 */
#include <arpa/inet.h>

#include "base/fd.h"
#include "member/join.h"
#include "member/link.h"
#include "storm.h"
#include "sys/deadline.h"

#define MACHINES_MAX 10000
#define AGAIN        (2 * USEC_PER_SEC)

typedef struct Storm Storm;
typedef struct Machine {
        Storm *storm;
        Join *join;
        MemberLink *link;
        Deadline *again; /* to join: as a person does who reads that the head was not there */
        Addr at;
        bool joined; /* is welcome now */
} Machine;

struct Storm {
        sd_event *event;
        const char *dir;
        Addr network;
        JoinToken token;
        Machine machines[MACHINES_MAX];
        /* joined: are welcome now; the others ever */
        unsigned enrolled, failed, joined, lost, refused;
        char why[200]; /* the last that went wrong */
};

static size_t number(const Machine *m)
{
        return (size_t)(m - m->storm->machines);
}

static char *path_of(const Machine *m)
{
        return str_printf("%s/%zu.pem", m->storm->dir, number(m));
}

static void on_welcome(MemberLink *l, const MemberWelcome *w, void *userdata)
{
        Machine *m = userdata;

        m->joined = true;
        m->storm->joined++;
}

static void leave(Machine *m, const char *why)
{
        str_copy(m->storm->why, sizeof(m->storm->why), why);
        if (m->joined)
                m->storm->joined--;
        m->joined = false;
}

static void on_lost(MemberLink *l, const char *why, void *userdata)
{
        Machine *m = userdata;

        leave(m, why);
        m->storm->lost++;
}

static void on_refused(MemberLink *l, const MemberRefused *r, void *userdata)
{
        Machine *m = userdata;

        leave(m, r->text);
        m->storm->refused++;
}

static void dial(Machine *m)
{
        static const MemberLinkOps ops = {
                .on_welcome = on_welcome, .on_lost = on_lost, .on_refused = on_refused};
        _cleanup_(tls_party_unrefp) TlsParty *party = NULL;
        _cleanup_identity_ Identity i = {0};
        _cleanup_free_ char *path = path_of(m);
        MemberFacts f = {
                .cpus = 64, .gpus = 8, .memory = 512ULL << 30, .addrs = {m->at}, .n_addrs = 1};

        f.addrs[0].port = 0;
        (void)snprintf(f.name, sizeof(f.name), "w%zu", number(m));
        (void)snprintf(f.boot_id, sizeof(f.boot_id), "%032zx", number(m));
        int r = identity_load(strempty(path), &i);
        if (r >= 0)
                r = identity_party(&i, &party);
        MemberLinkPolicy p = {.head = m->at, .party = party, .facts = &f};
        if (r >= 0)
                r = member_link_new(m->storm->event, &p, &ops, m, &m->link);
        if (r < 0)
                STORM_DIE("machine %zu: %s", number(m), strerror(-r));
}

static void on_join(Join *j, const JoinResult *result, void *userdata)
{
        Machine *m = userdata;
        Storm *s = m->storm;

        m->join = join_free(m->join);
        if (result->end == JOIN_DONE) {
                s->enrolled++;
                dial(m);
                return;
        }
        s->failed++;
        str_copy(s->why, sizeof(s->why), result->text);
        if (result->end == JOIN_UNREACHABLE)
                (void)deadline_move(m->again, AGAIN);
}

static void on_again(void *userdata);

static void enrol(Machine *m)
{
        _cleanup_free_ char *path = path_of(m);
        char node[MEMBER_ID_MAX], name[MEMBER_NAME_MAX];
        Addr own = m->at;

        own.port = 0;
        (void)snprintf(node, sizeof(node), "%032zx", number(m));
        (void)snprintf(name, sizeof(name), "w%zu", number(m));
        JoinPolicy p = {.head = m->at,
                        .token = &m->storm->token,
                        .path = path,
                        .node = node,
                        .name = name,
                        .addrs = &own,
                        .n_addrs = 1};
        int r = join_new(m->storm->event, &p, on_join, m, &m->join);
        if (r >= 0 && !m->again)
                r = deadline_new(m->storm->event, USEC_INFINITY, USEC_PER_SEC, on_again, m,
                                 &m->again);
        if (r < 0)
                STORM_DIE("machine %zu: %s", number(m), strerror(-r));
}

static void on_again(void *userdata)
{
        enrol(userdata);
}

static void on_each(Storm *s, const char *range, void (*what)(Machine *m))
{
        unsigned from, to;

        if (sscanf(range, "%u %u", &from, &to) != 2 || to > MACHINES_MAX)
                STORM_DIE("no range: \"%s\"", range);
        for (; from < to; from++)
                what(&s->machines[from]);
        puts("going");
}

static void take_token(Storm *s, const char *text)
{
        _cleanup_free_ char *error = NULL;

        if (join_token_parse(text, &s->token, &error) < 0)
                STORM_DIE("%s", strna(error));
        puts("taken");
}

static void on_line(char *line, void *userdata)
{
        Storm *s = userdata;
        const char *rest;

        if ((rest = startswith(line, "token ")))
                take_token(s, rest);
        else if ((rest = startswith(line, "enrol ")))
                on_each(s, rest, enrol);
        else if ((rest = startswith(line, "dial ")))
                on_each(s, rest, dial);
        else if (streq(line, "stat"))
                printf("joined %u enrolled %u failed %u lost %u refused %u why %s\n", s->joined,
                       s->enrolled, s->failed, s->lost, s->refused, s->why);
        else
                STORM_DIE("what is \"%s\"?", line);
        (void)fflush(stdout);
}

int main(int argc, char **argv)
{
        static Storm s;
        StormInput in = {.cb = on_line, .userdata = &s};

        if (argc != 4 || addr_parse(argv[2], &s.network) < 0 || s.network.family != AF_INET)
                STORM_DIE("storm-workers DIR NETWORK PORT");
        s.dir = argv[1];
        for (size_t i = 0; i < MACHINES_MAX; i++) {
                Machine *m = &s.machines[i];
                *m = (Machine){.storm = &s, .at = s.network};
                m->at.in.s_addr = htonl(ntohl(s.network.in.s_addr) + (uint32_t)i);
                m->at.port = (uint16_t)atoi(argv[3]);
        }
        storm_limits();
        if (sd_event_new(&s.event) < 0)
                STORM_DIE("no loop");
        storm_input(s.event, &in);
        int r = sd_event_loop(s.event);
        for (size_t i = 0; i < MACHINES_MAX; i++) {
                join_free(s.machines[i].join);
                member_link_free(s.machines[i].link);
                deadline_free(s.machines[i].again);
        }
        sd_event_unref(s.event);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
