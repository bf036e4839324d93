#include "wire/last-known.h"

#include <errno.h>
#include <stdio.h>

#include "base/parse.h"
#include "base/str.h"

#define MAGIC    "raycluster-last-known=1"
#define WORD_MAX 255 /* a DNS name */

/* "10.0.0.4:6379", "[2001:db8::1]:6379" */
static int parse_address(const char *s, Addr *ret)
{
        char host[ADDR_MAX + 2];
        Addr a;

        const char *colon = strrchr(s, ':');
        size_t n = colon ? (size_t)(colon - s) : 0;
        if (n == 0 || n >= sizeof(host))
                return -EBADMSG;
        memcpy(host, s, n);
        host[n] = 0;
        if (host[0] != '[' && strchr(host, ':'))
                return -EBADMSG;
        if (addr_parse(host, &a) < 0 || parse_port(colon + 1, &a.port) < 0 || a.scope != 0 ||
            !addr_is_usable(&a))
                return -EBADMSG;
        *ret = a;
        return 0;
}

static bool is_word(const char *s)
{
        for (const char *p = s; *p; p++)
                if (*p <= 0x20 || *p > 0x7e)
                        return false;
        return strlen(s) <= WORD_MAX;
}

static int take_word(char **p, const char *value)
{
        if (!is_word(value))
                return -EBADMSG;
        return free_and_strdup(p, value) < 0 ? -ENOMEM : 0;
}

static int take_line(Candidate *c, const char *line)
{
        const char *v;

        if ((v = startswith(line, "cluster=")))
                return take_word(&c->cluster, v);
        if ((v = startswith(line, "id=")))
                return take_word(&c->id, v);
        if ((v = startswith(line, "name=")))
                return take_word(&c->name, v);
        if ((v = startswith(line, "control=")))
                return parse_port(v, &c->control_port) < 0 ? -EBADMSG : 0;
        if ((v = startswith(line, "address="))) {
                if (c->n_addrs >= CANDIDATE_ADDRS_MAX)
                        return -EBADMSG;
                int r = parse_address(v, &c->addrs[c->n_addrs]);
                if (r >= 0)
                        c->n_addrs++;
                return r;
        }
        return strchr(line, '=') ? 0 : -EBADMSG;
}

int last_known_parse(const char *text, size_t size, Candidate **ret)
{
        _cleanup_(candidate_freep) Candidate *c = new0(Candidate, 1);
        _cleanup_strv_free_ char **lines = NULL;

        if (size > LAST_KNOWN_SIZE_MAX || memchr(text, 0, size))
                return -EBADMSG;
        _cleanup_free_ char *copy = strndup(text, size);
        if (!c || !copy)
                return -ENOMEM;
        c->source = DISCO_LAST_KNOWN;
        int r = strv_split(copy, "\n", &lines);
        if (r < 0)
                return r;
        if (!lines || !streq(lines[0], MAGIC))
                return -EBADMSG;
        for (char **l = lines + 1; *l && r >= 0; l++)
                r = take_line(c, *l);
        if (r < 0)
                return r;
        if (isempty(c->name) || isempty(c->cluster) || c->n_addrs == 0 || c->control_port == 0)
                return -EBADMSG;
        if (!c->id && !(c->id = strdup("")))
                return -ENOMEM;
        if (!(c->how = strdup("")))
                return -ENOMEM;
        *ret = TAKE_PTR(c);
        return 0;
}

int last_known_format(const Candidate *c, const char *cluster, char **ret)
{
        _cleanup_strv_free_ char **l = NULL;
        char buf[ADDR_PORT_MAX];

        if (c->n_addrs == 0 || isempty(c->name) || isempty(cluster) || !is_word(c->name) ||
            !is_word(cluster) || !is_word(strempty(c->id)))
                return -EINVAL;
        for (size_t i = 0; i < c->n_addrs; i++)
                if (!addr_is_usable(&c->addrs[i]) || c->addrs[i].port == 0)
                        return -EINVAL;
        int r = strv_extend(&l, MAGIC);
        if (r >= 0)
                r = strv_extendf(&l, "cluster=%s", cluster);
        if (r >= 0)
                r = strv_extendf(&l, "id=%s", strempty(c->id));
        if (r >= 0)
                r = strv_extendf(&l, "name=%s", c->name);
        if (r >= 0)
                r = strv_extendf(&l, "control=%u", c->control_port);
        for (size_t i = 0; i < c->n_addrs && r >= 0; i++)
                r = strv_extendf(&l, "address=%s", addr_format_port(buf, &c->addrs[i]));
        if (r >= 0)
                r = strv_extend(&l, "");
        if (r < 0)
                return r;
        *ret = strv_join(l, "\n");
        return *ret ? 0 : -ENOMEM;
}
