/* Which Python and which Ray an environment has: asked of its own python, once, without importing
 * Ray (that alone takes a second). */
#pragma once

#include <systemd/sd-event.h>

#include "model/identity.h"

typedef struct VersionsQuery VersionsQuery;

/* v is NULL when it could not be told, and `why` is one sentence with the remedy. Called once, from
 * the loop; the query may be freed from inside. */
typedef void (*versions_cb)(VersionsQuery *q, const Versions *v, const char *why, void *userdata);

/* A home on a slow file server may take its time; after this it is an error. */
#define VERSIONS_TIMEOUT (20 * USEC_PER_SEC)

int versions_ask(sd_event *event, const char *venv, versions_cb cb, void *userdata,
                 VersionsQuery **ret);
VersionsQuery *versions_query_free(VersionsQuery *q);
DEFINE_CLEANUP(VersionsQuery *, versions_query_free);

/* The answer's text: "python 3.11.2\nray 2.60.0\n". 0; -EBADMSG without a python line, then
 * *ret_last is the last line, for people (caller frees). ret->ray is "" without a ray line. */
int versions_parse(const char *text, Versions *ret, char **ret_last);
