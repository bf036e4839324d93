#include "head/member-log.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/strv.h"

/* Of what strangers make. */
#define LINES_EVERY USEC_PER_MIN
#define LINES_BURST 20
#define ABUSE_BURST 5

/* RAYCLUSTER_NODE= and RAYCLUSTER_ADDRESS= on every line, so that journalctl can follow a machine.
 */
static char **fields_of(const char *name, const Addr *from)
{
        char **l = NULL, text[ADDR_MAX];

        (void)strv_extendf(&l, "RAYCLUSTER_NODE=%s", strempty(name));
        if (from)
                (void)strv_extendf(&l, "RAYCLUSTER_ADDRESS=%s", addr_format(text, from));
        return l;
}

void member_log_enrolled(const MemberRow *m, const Addr *from)
{
        bool approved = streq(m->token, ENROLMENT_APPROVED);
        _cleanup_strv_free_ char **fields = fields_of(m->name, from);
        char at[ADDR_MAX];

        log_event(LOG_NOTICE, MSG_MEMBER_ENROLLED, fields, "%s at %s became a member%s%s", m->name,
                  addr_format(at, from),
                  approved ? ": it, or its subnet, was approved" : ", with token ",
                  approved ? "" : m->token);
}

/* held_back: how many there were since the last line. */
static bool may_write(RateLimit *l, unsigned *held_back)
{
        l->interval = LINES_EVERY;
        l->burst = LINES_BURST;
        if (!ratelimit_below(l, now_mono()))
                return false;
        *held_back = l->suppressed;
        l->suppressed = 0;
        return true;
}

void member_log_refused(MemberLog *l, const MemberRefused *r, const char *name, const Addr *from,
                        int error, usec_t locked)
{
        _cleanup_strv_free_ char **fields = fields_of(name, from);
        char at[ADDR_MAX], wait[DURATION_MAX];
        unsigned more;

        if (!may_write(&l->refusals, &more))
                return;
        if (more > 0)
                log_event(LOG_WARNING, MSG_MEMBER_REFUSED, NULL,
                          "%u more machines were refused, each with its reason, which were not "
                          "written down",
                          more);
        (void)strv_extendf(&fields, "RAYCLUSTER_REFUSAL=%s", member_refusal_to_string(r->reason));
        log_event(LOG_WARNING, MSG_MEMBER_REFUSED, fields, "%s at %s was refused: %s%s%s%s%s",
                  isempty(name) ? "a machine" : name, addr_format(at, from), r->text,
                  error < 0 ? ": " : "", error < 0 ? strerror(-error) : "",
                  locked > 0 ? "; it may try again after " : "",
                  locked > 0 ? format_duration(wait, locked) : "");
}

void member_log_abused(MemberLog *l, GateAbuse what, const Addr *from, const char *name)
{
        static const char *const words[_GATE_ABUSE_MAX] = {
                [GATE_ABUSE_SOURCE] = "it has more connections than one machine needs, and the "
                                      "rest was closed",
                [GATE_ABUSE_FULL] = "all places for those who are no members yet are taken, most "
                                    "of them by it, and the one that waited longest was closed",
                [GATE_ABUSE_SLOW] = "it did not come to the end of what it had to say, and was "
                                    "closed",
                [GATE_ABUSE_NONSENSE] = "it said what makes no sense there, and was closed",
                [GATE_ABUSE_TURN] = "it said what it may not say, or not now, and was closed",
        };
        _cleanup_strv_free_ char **fields = fields_of(name, from);
        char at[ADDR_MAX];
        unsigned more;

        if (!line_limit_below(&l->abuses, ABUSE_BURST, now_mono(), &more))
                return;
        (void)strv_extendf(&fields, "RAYCLUSTER_ABUSE=%s", gate_abuse_to_string(what));
        if (more > 0)
                log_event(LOG_WARNING, MSG_GATE_ABUSED, NULL,
                          "control port: it was misused %u more times, which was not written down",
                          more);
        log_event(LOG_WARNING, MSG_GATE_ABUSED, fields, "control port: %s%s%s: %s", strempty(name),
                  isempty(name) ? "" : " at ", addr_format(at, from), words[what]);
}

void member_log_done(MemberLog *l)
{
        line_limits_done(&l->visits);
        line_limits_done(&l->copies);
}

/* Whether there may be another line of its coming and going; one of which may be about others that
 * were not written down. */
static bool may_tell_visit(MemberLog *l, MessageId id, const GateMember *m, char **fields)
{
        unsigned more;

        if (!line_limits_below(&l->visits, m->node, now_mono(), &more))
                return false;
        if (more > 0)
                log_event(LOG_WARNING, id, fields,
                          "%s came or went %u more times, which was not written down", m->name,
                          more);
        return true;
}

void member_log_here(MemberLog *l, const GateMember *m)
{
        _cleanup_strv_free_ char **fields = fields_of(m->name, &m->from);
        char at[ADDR_MAX];

        if (!may_tell_visit(l, MSG_MEMBER_HERE, m, fields))
                return;
        log_event(LOG_INFO, MSG_MEMBER_HERE, fields, "%s is here, at %s", m->name,
                  addr_format(at, &m->from));
}

void member_log_lost(MemberLog *l, const GateMember *m, GateLoss why)
{
        static const char *const words[_GATE_LOSS_MAX] = {
                [GATE_LOSS_CLOSED] = "its connection ended",
                [GATE_LOSS_SILENT] = "it is not heard any more",
                [GATE_LOSS_REVOKED] = "it was revoked",
        };
        _cleanup_strv_free_ char **fields = fields_of(m->name, &m->from);
        char at[ADDR_MAX];

        if (why == GATE_LOSS_REPLACED) /* it is here, by another connection */
                return;
        if (!may_tell_visit(l, MSG_MEMBER_LOST, m, fields))
                return;
        log_event(why == GATE_LOSS_SILENT ? LOG_WARNING : LOG_NOTICE, MSG_MEMBER_LOST, fields,
                  "%s at %s is gone: %s", m->name, addr_format(at, &m->from), words[why]);
}

void member_log_pending(MemberLog *l, const GatePending *p, const char *words)
{
        _cleanup_strv_free_ char **fields = fields_of(p->name, &p->from);
        char at[ADDR_MAX];
        unsigned more;

        if (!may_write(&l->pending, &more))
                return;
        if (more > 0)
                log_event(LOG_NOTICE, MSG_MEMBER_PENDING, NULL,
                          "%u more asked to be members, which was not written down; raycluster "
                          "node list --pending has those that wait",
                          more);
        log_event(LOG_NOTICE, MSG_MEMBER_PENDING, fields,
                  "%s at %s asks to be a member%s%s: its key is \"%s\", and it has to show \"%s\" "
                  "for "
                  "this head; raycluster node approve %s",
                  p->name, addr_format(at, &p->from), p->takes ? " in the place of " : "",
                  strempty(p->takes), p->words, words, p->name);
}

void member_log_left(const GateMember *m)
{
        _cleanup_strv_free_ char **fields = fields_of(m->name, &m->from);
        char at[ADDR_MAX];

        log_event(LOG_NOTICE, MSG_MEMBER_LEFT, fields, "%s at %s has left the cluster", m->name,
                  addr_format(at, &m->from));
}

char **member_log_event_fields(const GateMember *m, const MemberEvent *e)
{
        char **fields = fields_of(m->name, &m->from);

        (void)strv_extendf(&fields, "RAYCLUSTER_EVENT=%s", e->message_id);
        if (e->time > 0)
                (void)strv_extendf(&fields, "RAYCLUSTER_EVENT_TIME=%" PRIu64, e->time);
        return fields;
}

void member_log_event(const GateMember *m, const MemberEvent *e, unsigned dropped)
{
        _cleanup_strv_free_ char **fields = member_log_event_fields(m, e);

        if (dropped > 0)
                log_event(LOG_WARNING, MSG_MEMBER_EVENT, fields,
                          "%s: %u events were dropped, it sends too many", m->name, dropped);
        log_event(LOG_INFO, MSG_MEMBER_EVENT, fields, "%s: %s", m->name, e->text);
}

void member_log_copied(MemberLog *l, const GateMember *here, const GateMember *there)
{
        _cleanup_strv_free_ char **fields = fields_of(here->name, &there->from);
        char a[ADDR_MAX], b[ADDR_MAX];
        unsigned more;

        if (!line_limits_below(&l->copies, here->node, now_mono(), &more))
                return;
        if (more > 0)
                log_event(LOG_ERR, MSG_MEMBER_COPIED, fields,
                          "two machines with the key of %s took each other's place %u more times, "
                          "which was not written down",
                          here->name, more);
        log_event(LOG_ERR, MSG_MEMBER_COPIED, fields,
                  "two machines have the key of %s, at %s and at %s: one is a copy of the other's "
                  "disk, or a thief. On the copy, not on the original: systemctl stop ray-worker; "
                  "rm -f /var/lib/raycluster/identity.pem* /var/lib/raycluster/ray-tls.pem* "
                  "/etc/machine-id /var/lib/dbus/machine-id; systemd-machine-id-setup; give it a "
                  "host name of its own; reboot; raycluster join with a new token. Not raycluster "
                  "leave, which would end the membership of both. If the key was stolen: "
                  "raycluster node revoke %s",
                  here->name, addr_format(a, &here->from), addr_format(b, &there->from),
                  here->name);
}

void member_log_revoked(const MemberRow *m)
{
        _cleanup_strv_free_ char **fields = fields_of(m->name, NULL);

        log_event(LOG_NOTICE, MSG_MEMBER_REVOKED, fields,
                  "%s was revoked: it is no member any more; what it knows, Ray's token among it, "
                  "it still knows",
                  m->name);
}

void member_log_forbidden(const char *name, const Addr *from, const char *text, uint64_t n)
{
        _cleanup_strv_free_ char **fields = fields_of(name, from);
        char at[ADDR_MAX];

        (void)strv_extendf(&fields, "RAYCLUSTER_COUNT=%" PRIu64, n);
        log_event(LOG_WARNING, MSG_MEMBER_FORBIDDEN, fields,
                  "%s at %s asked to be connected back to where it is not: %s; that was not done",
                  name, addr_format(at, from), text);
}
