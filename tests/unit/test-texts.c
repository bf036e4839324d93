/* The words of every verdict: there is a sentence and a next step, on one line, and what stands
 * behind "on X: " or "here: " is a line that a shell takes. */
#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "addr.h"

#include "base/alloc.h"
#include "probe/text.h"

/* Enough of everything that a sentence may want to name. */
static Evidence full(int family)
{
        bool six = family == AF_INET6;
        const char *own = six ? "fd77:1::2" : "10.77.1.2", *head = six ? "fd77:2::2" : "10.77.2.2";
        Evidence e = {.host = "compute04", .name = NAME_RESOLVED, .n_addrs = 1, .connected = true};
        strcpy(e.name_text, "NXDOMAIN from 10.77.2.53");
        strcpy(e.from, "ib0");
        e.addr = AP(head, 6379);
        e.local.route = (NetRoute){.source = AP(own, 0), .ifindex = 2};
        strcpy(e.local.route.ifname, "w0");
        strcpy(e.local.link.name, "w0");
        strcpy(e.local.down.name, "w0");
        e.tcp.local = AP(own, 40000);
        e.tcp.error = ECONNREFUSED;
        e.hello.kind = SERVICE_REDIS;
        strcpy(e.head.ray, "2.60.0");
        strcpy(e.here.ray, "2.59.1");
        return e;
}

/* The same with the other side's view. */
static Evidence answered(int family)
{
        Evidence e = full(family);
        bool six = family == AF_INET6;
        Reflection *o = &e.other;
        o->asked = o->answered = true;
        o->here = AP(six ? "fd77:1::2" : "10.77.1.2", 41000);
        o->observed = AP(six ? "fd77:9::9" : "10.77.9.9", 41000);
        o->local = AP(six ? "fd77:2::3" : "10.77.2.3", 6388);
        o->dialled = AP(six ? "fd77:2::2" : "10.77.2.2", 6388);
        o->head_node = o->local;
        strcpy(o->hostname, "compute04");
        strcpy(o->route_dev, "eth0");
        o->clock_known = true;
        o->clock_offset_usec = -3600 * (int64_t)USEC_PER_SEC;
        o->back[o->n_back++] =
                (BackTry){.addr = AP(six ? "fd77:1::2" : "10.77.1.2", 6380), .result = BACK_SILENT};
        o->back[o->n_back++] =
                (BackTry){.addr = AP(six ? "fd77:1::2" : "10.77.1.2", 6381), .result = BACK_OPEN};
        return e;
}

/* Each different line once. */
static bool shell_takes(const char *line)
{
        static char **known;
        if (strv_contains(known, line))
                return true;
        assert_true(strv_extend(&known, line) >= 0);
        FILE *sh = popen("sh -n 2>&1", "w");
        assert_non_null(sh);
        fprintf(sh, "%s\n", line);
        return pclose(sh) == 0;
}

/* Several commands on several machines stand behind one another. */
static void check_commands(Verdict v, const char *hint)
{
        if (!startswith(hint, "on ") && !startswith(hint, "here"))
                return;
        _cleanup_free_ char *copy = strdup(hint);
        char *line = strstr(copy, ": ");
        if (!line)
                fail_msg("%s: no command in: %s", verdict_to_string(v), hint);
        for (line += 2; line;) {
                char *next = strstr(line, ", or: ");
                if (next) {
                        *next = 0;
                        next += strlen(", or: ");
                }
                if (!shell_takes(line))
                        fail_msg("%s: no shell takes: %s", verdict_to_string(v), line);
                line = next;
        }
}

static void check_words(Verdict v, const Evidence *e, ProbePlace place, const char *where)
{
        Judgement j = {.verdict = v,
                       .confidence = v == VERDICT_INCONCLUSIVE ? PROBE_INCONCLUSIVE : PROBE_PROVEN,
                       .place = place};
        if (where)
                j.where = AP(where, 0);
        _cleanup_free_ char *s = text_sentence(e, &j), *h = text_hint(e, &j),
                            *b = text_because(e, &j);
        if (isempty(s) || !h || !b || (v != VERDICT_OK && isempty(h)))
                fail_msg("%s: words are missing: %s / %s / %s", verdict_to_string(v), strna(s),
                         strna(b), strna(h));
        const char *all[] = {s, b, h};
        for (size_t i = 0; i < ELEMENTSOF(all); i++)
                if (strchr(all[i], '\n') || strstr(all[i], "(null)") || strstr(all[i], "%s") ||
                    strstr(all[i], "%u") || strchr(all[i], '\033'))
                        fail_msg("%s: %s", verdict_to_string(v), all[i]);
        if (s[strlen(s) - 1] == '.')
                fail_msg("%s: ends with a full stop: %s", verdict_to_string(v), s);
        check_commands(v, h);

        _cleanup_strv_free_ char **m = NULL;
        assert_int_equal(text_missing(e, &j, &m), 0);
        if (v == VERDICT_INCONCLUSIVE && !e->other.answered && strv_length(m) == 0)
                fail_msg("%s: does not say what would decide", s);
        STRV_FOREACH (i, m)
                if (!strstr(*i, ": ") || strchr(*i, '\n'))
                        fail_msg("%s: not \"fact: what tells it\": %s", verdict_to_string(v), *i);
}

static void check_everywhere(Verdict v, const Evidence *e)
{
        for (ProbePlace p = 0; p < _PROBE_PLACE_MAX; p++)
                check_words(v, e, p, e->addr.family == AF_INET6 ? "fd77:1::1" : "10.77.1.1");
}

static void test_every_verdict(void **state)
{
        for (Verdict v = 0; v < _VERDICT_MAX; v++) {
                static const int families[] = {AF_INET, AF_INET6};
                for (size_t i = 0; i < ELEMENTSOF(families); i++) {
                        Evidence e = answered(families[i]);
                        for (FirewallManager m = 0; m < _FIREWALL_MANAGER_MAX; m++) {
                                e.other.firewall = e.keepers.firewall = m;
                                check_everywhere(v, &e);
                        }
                        e.local.own = true;
                        check_everywhere(v, &e);
                }
        }
}

/* What one side alone can find has its words without the other. */
static void test_one_side(void **state)
{
        for (Verdict v = 0; v < _VERDICT_MAX; v++) {
                int code = verdict_code(v);
                if (code == 44 || code == 46 || code == 51 || code == 52 ||
                    (code >= 70 && code <= 76) || code == 81 || code == 82)
                        continue; /* told with a reflector */
                Evidence e = full(AF_INET);
                check_everywhere(v, &e);
                strcpy(e.host, "10.77.2.2");
                e.name = NAME_LITERAL;
                check_everywhere(v, &e);
        }
}

/* Wherever an examination ends without a verdict, it says what would bring one. */
static void test_undecided(void **state)
{
        Evidence e = full(AF_INET);
        Evidence named = e;

        named.name = NAME_UNKNOWN;
        named.addr = (Addr){0};
        check_everywhere(VERDICT_INCONCLUSIVE, &named);
        for (AliveOutcome a = 0; a < _ALIVE_OUTCOME_MAX; a++)
                for (int outcome = 0; outcome < 3; outcome++)
                        for (int cut = 0; cut < 2; cut++) {
                                if (a == ALIVE_OK && !cut)
                                        continue; /* of what serves only time leaves a doubt */
                                e.cut = cut;
                                e.alive.outcome = a;
                                e.tcp.outcome = (ConnectOutcome)outcome;
                                check_everywhere(VERDICT_INCONCLUSIVE, &e);
                        }
}

/* A name that was heard from a stranger is not pasted into a shell of root. */
static void test_strangers(void **state)
{
        static const char *const names[] = {"a;reboot", "$(reboot)", "a b", "-x",
                                            "a'b",      "a|b",       "a\nb"};
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                for (Verdict v = 0; v < _VERDICT_MAX; v++) {
                        Evidence e = answered(AF_INET);
                        strcpy(e.host, names[i]);
                        strcpy(e.head.ray, "2.6;reboot.0");
                        Judgement j = {.verdict = v, .place = PROBE_PLACE_HEAD, .where = e.addr};
                        _cleanup_free_ char *h = text_hint(&e, &j);
                        if (h && (strstr(h, names[i]) || strstr(h, "reboot.0")))
                                fail_msg("%s: %s", verdict_to_string(v), h);
                }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_verdict),
                cmocka_unit_test(test_one_side),
                cmocka_unit_test(test_undecided),
                cmocka_unit_test(test_strangers),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
