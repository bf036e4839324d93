/* The announcement, by Avahi's entry group:
 *
 *   IDLE --set--> DOWN --avahi comes--> WAITING --its host name stands--> REGISTERING --> PUBLISHED
 *    ^             ^ avahi goes            ^--- its host name changes ---------'             |
 *    |             '--------------------------------------------------------------------------'
 *    |     REGISTERING --collision--> REGISTERING under the next name, at most RENAMES_MAX times
 *    |     any --avahi refuses--> REFUSED, until avahi comes again or set
 *    '-- withdraw from any
 */
#include "disco/publish.h"

#include "base/str.h"
#include "base/strtab.h"
#include "sys/avahi.h"
#include "wire/txt.h"

#define SERVICE "_raycluster._tcp"
#define GROUP   "org.freedesktop.Avahi.EntryGroup"

/* "lab1 head on compute04 #17": more namesakes than this on one link are an attack or a mistake. */
#define RENAMES_MAX 16
/* DNS label, RFC 6763 section 4.1.1 */
#define INSTANCE_MAX 63

/* avahi-common/defs.h */
enum { SERVER_RUNNING = 2 };
enum { GROUP_ESTABLISHED = 2, GROUP_COLLISION = 3, GROUP_FAILURE = 4 };

typedef enum PublishState {
        PUBLISH_IDLE,        /* nothing is wanted */
        PUBLISH_DOWN,        /* wanted; avahi-daemon is not there */
        PUBLISH_WAITING,     /* avahi-daemon is there and has no host name yet */
        PUBLISH_REGISTERING, /* handed over; Avahi asks whether the name is free (about 1 s) */
        PUBLISH_PUBLISHED,
        PUBLISH_REFUSED, /* p->why */
        _PUBLISH_STATE_MAX,
} PublishState;

struct Publisher {
        const PublisherOps *ops;
        void *userdata;
        Avahi *avahi;
        PublishState state;
        char *text;
        char *why;

        bool wanted;
        char *instance; /* as asked for */
        char *name;     /* as published */
        uint16_t port;
        char **txt;
        unsigned renames;

        sd_bus_slot *server_match, *call;
        sd_bus_slot *group_match;
        char *group; /* object path */
};

static int publish(Publisher *p);
static int add_service(Publisher *p);

/* --- state -------------------------------------------------------------------------------------
 */

static char *state_text(const Publisher *p, PublishState state)
{
        switch (state) {
        case PUBLISH_DOWN:
                return str_printf("not published: %s", avahi_text(p->avahi));
        case PUBLISH_WAITING:
                return strdup("not published: avahi-daemon has no host name yet");
        case PUBLISH_REGISTERING:
                return str_printf("being published as '%s' on port %u", p->name, p->port);
        case PUBLISH_PUBLISHED:
                return str_printf("published as '%s' on port %u", p->name, p->port);
        case PUBLISH_REFUSED:
                return str_printf("not published: %s", strna(p->why));
        default:
                return strdup("not published");
        }
}

static bool publisher_set_state(Publisher *p, PublishState state)
{
        char *text = state_text(p, state);
        bool changed = p->state != state || !streq_ptr(p->text, text);

        free(p->text);
        p->text = text;
        p->state = state;
        return changed;
}

static void publisher_move(Publisher *p, PublishState state)
{
        if (publisher_set_state(p, state) && p->ops && p->ops->on_change)
                p->ops->on_change(p, p->userdata);
}

static void refused(Publisher *p, const char *why)
{
        (void)free_and_strdup(&p->why, why);
        publisher_move(p, PUBLISH_REFUSED);
}

static void group_drop(Publisher *p)
{
        if (p->group) /* freeing withdraws: Avahi says goodbye */
                (void)avahi_call(p->avahi, p->group, GROUP, "Free", NULL, NULL, NULL, NULL);
        free(p->group);
        p->group = NULL;
        p->group_match = sd_bus_slot_unref(p->group_match);
        p->call = sd_bus_slot_unref(p->call);
}

/* --- the group ---------------------------------------------------------------------------------
 */

static int on_alternative(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Publisher *p = userdata;
        const char *name;

        p->call = sd_bus_slot_unref(p->call);
        if (sd_bus_message_is_method_error(m, NULL) || sd_bus_message_read(m, "s", &name) < 0 ||
            free_and_strdup(&p->name, name) < 0) {
                refused(p, "the name is taken and avahi-daemon knows no other");
                return 0;
        }
        (void)avahi_call(p->avahi, p->group, GROUP, "Reset", NULL, NULL, NULL, NULL);
        if (add_service(p) < 0)
                refused(p, "avahi-daemon cannot be asked");
        else
                publisher_move(p, PUBLISH_REGISTERING);
        return 0;
}

static void take_next_name(Publisher *p)
{
        if (p->renames++ >= RENAMES_MAX) {
                refused(p, "this name and 16 like it are taken on this network");
                return;
        }
        p->call = sd_bus_slot_unref(p->call);
        if (avahi_call(p->avahi, "/", AVAHI_SERVER, "GetAlternativeServiceName", on_alternative, p,
                       &p->call, "s", p->name) < 0)
                refused(p, "avahi-daemon cannot be asked");
}

static int on_group_state(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Publisher *p = userdata;
        int32_t state;

        if (!sd_bus_message_is_signal(m, GROUP, "StateChanged") ||
            sd_bus_message_read(m, "i", &state) < 0)
                return 0;
        if (state == GROUP_ESTABLISHED)
                publisher_move(p, PUBLISH_PUBLISHED);
        else if (state == GROUP_COLLISION)
                take_next_name(p);
        else if (state == GROUP_FAILURE)
                refused(p, "avahi-daemon failed to register the service");
        return 0;
}

static int on_added(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Publisher *p = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(m);

        p->call = sd_bus_slot_unref(p->call);
        if (e && streq(e->name, "org.freedesktop.Avahi.CollisionError"))
                take_next_name(p);
        else if (e)
                refused(p, strna(e->message));
        else if (avahi_call(p->avahi, p->group, GROUP, "Commit", NULL, NULL, NULL, NULL) < 0)
                refused(p, "avahi-daemon cannot be asked");
        return 0;
}

static int append_txt(sd_bus_message *m, char *const *txt)
{
        int r = sd_bus_message_open_container(m, 'a', "ay");
        STRV_FOREACH (t, txt)
                if (r >= 0)
                        r = sd_bus_message_append_array(m, 'y', *t, strlen(*t));
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int add_service(Publisher *p)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        int r = avahi_message_new(p->avahi, p->group, GROUP, "AddService", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "iiussssq", AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC,
                                          (uint32_t)0, p->name, SERVICE, "", "", p->port);
        if (r >= 0)
                r = append_txt(m, p->txt);
        return r < 0 ? r : avahi_send(p->avahi, m, on_added, p, &p->call);
}

static int on_group(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Publisher *p = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(m);
        const char *path;

        p->call = sd_bus_slot_unref(p->call);
        if (e) {
                refused(p, strna(e->message));
                return 0;
        }
        int r = sd_bus_message_read(m, "o", &path);
        if (r >= 0)
                r = free_and_strdup(&p->group, path);
        if (r >= 0)
                r = avahi_match(p->avahi, path, GROUP, on_group_state, p, &p->group_match);
        if (r >= 0)
                r = add_service(p);
        if (r < 0)
                refused(p, "avahi-daemon cannot be asked");
        return 0;
}

/* --- the server --------------------------------------------------------------------------------
 */

static void server_state(Publisher *p, int32_t state)
{
        group_drop(p); /* a new host name: our SRV record named the old one */
        if (state != SERVER_RUNNING) {
                publisher_move(p, PUBLISH_WAITING);
                return;
        }
        p->renames = 0;
        if (free_and_strdup(&p->name, p->instance) < 0 ||
            avahi_call(p->avahi, "/", AVAHI_SERVER, "EntryGroupNew", on_group, p, &p->call, NULL) <
                    0) {
                refused(p, "avahi-daemon cannot be asked");
                return;
        }
        publisher_move(p, PUBLISH_REGISTERING);
}

static int on_server_signal(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Publisher *p = userdata;
        int32_t state;

        if (p->wanted && sd_bus_message_is_signal(m, AVAHI_SERVER, "StateChanged") &&
            sd_bus_message_read(m, "i", &state) >= 0)
                server_state(p, state);
        return 0;
}

static int on_server_state(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Publisher *p = userdata;
        int32_t state;

        p->call = sd_bus_slot_unref(p->call);
        if (sd_bus_message_is_method_error(m, NULL) || sd_bus_message_read(m, "i", &state) < 0)
                refused(p, "avahi-daemon does not answer");
        else
                server_state(p, state);
        return 0;
}

static int publish(Publisher *p)
{
        group_drop(p);
        int r = avahi_call(p->avahi, "/", AVAHI_SERVER, "GetState", on_server_state, p, &p->call,
                           NULL);
        return r < 0 ? r : 0;
}

static void on_avahi_up(sd_bus *bus, const char *owner, void *userdata)
{
        Publisher *p = userdata;

        p->server_match = sd_bus_slot_unref(p->server_match);
        int r = avahi_match(p->avahi, "/", AVAHI_SERVER, on_server_signal, p, &p->server_match);
        if (!p->wanted)
                return;
        if (r >= 0)
                r = publish(p);
        if (r < 0)
                refused(p, "avahi-daemon cannot be asked");
        else
                publisher_move(p, PUBLISH_WAITING);
}

static void on_avahi_down(void *userdata)
{
        Publisher *p = userdata;

        p->server_match = sd_bus_slot_unref(p->server_match);
        group_drop(p);
        if (p->wanted)
                publisher_move(p, PUBLISH_DOWN);
}

/* --- life --------------------------------------------------------------------------------------
 */

int publisher_new(Bus *bus, const PublisherOps *ops, void *userdata, Publisher **ret)
{
        static const AvahiOps avahi_ops = {.on_up = on_avahi_up, .on_down = on_avahi_down};
        _cleanup_(publisher_freep) Publisher *p = new0(Publisher, 1);
        if (!p)
                return -ENOMEM;
        p->ops = ops;
        p->userdata = userdata;
        int r = avahi_new(bus, &avahi_ops, p, &p->avahi);
        if (r < 0)
                return r;
        (void)publisher_set_state(p, PUBLISH_IDLE);
        *ret = TAKE_PTR(p);
        return 0;
}

Publisher *publisher_free(Publisher *p)
{
        if (!p)
                return NULL;
        if (p->avahi)
                group_drop(p);
        sd_bus_slot_unref(p->server_match);
        avahi_free(p->avahi);
        strv_free(p->txt);
        free(p->instance);
        free(p->name);
        free(p->text);
        free(p->why);
        free(p);
        return NULL;
}

/* Only the TXT record is new: no goodbye, nobody loses sight of the head. */
static int update_txt(Publisher *p)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        int r = avahi_message_new(p->avahi, p->group, GROUP, "UpdateServiceTxt", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "iiusss", AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC,
                                          (uint32_t)0, p->name, SERVICE, "");
        if (r >= 0)
                r = append_txt(m, p->txt);
        return r < 0 ? r : avahi_send(p->avahi, m, NULL, NULL, NULL);
}

static int check_txt(char *const *txt)
{
        _cleanup_buf_ Buf b = {0};
        return txt_encode(txt, &b);
}

int publisher_set(Publisher *p, const char *instance, uint16_t port, char *const *txt)
{
        if (isempty(instance) || strlen(instance) > INSTANCE_MAX || port == 0)
                return -EINVAL;
        int r = check_txt(txt);
        if (r < 0)
                return r;
        bool same = p->wanted && p->port == port && streq_ptr(p->instance, instance);
        if (same && strv_equal(p->txt, txt) && p->state != PUBLISH_REFUSED)
                return 0;

        char **copy = strv_copy(txt);
        if (!copy || free_and_strdup(&p->instance, instance) < 0) {
                strv_free(copy);
                return -ENOMEM;
        }
        strv_free(p->txt);
        p->txt = copy;
        p->port = port;
        p->wanted = true;
        if (same && p->state == PUBLISH_PUBLISHED && update_txt(p) >= 0)
                return 0;
        if (!avahi_is_up(p->avahi)) {
                publisher_move(p, PUBLISH_DOWN);
                return 0;
        }
        r = publish(p);
        if (r >= 0)
                publisher_move(p, PUBLISH_WAITING);
        return r;
}

void publisher_withdraw(Publisher *p)
{
        p->wanted = false;
        group_drop(p);
        publisher_move(p, PUBLISH_IDLE);
}

bool publisher_is_published(const Publisher *p)
{
        return p->state == PUBLISH_PUBLISHED;
}

const char *publisher_text(const Publisher *p)
{
        return strempty(p->text);
}
