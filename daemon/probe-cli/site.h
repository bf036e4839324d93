/* What this machine's /etc/raycluster.conf says of the cluster. ray-probe also runs where there is
 * none: then, and where it is wrong, everything is as by default. */
#pragma once

#include "conf/conf.h"

/* room: what the head of this machine has set (conf_load_member()), or NULL. *ret_note: what was
 * wrong with the file, a sentence to be told, or NULL; caller frees. -ENOMEM. */
int site_load(const char *room, Conf **ret, char **ret_note);

/* The dashboard listens for its own machine alone (raycluster.conf(5), dashboard.bind), as far as
 * this file knows that of the head. token: Ray's, or NULL: the cluster asks for none. */
bool site_dashboard_is_local(const Conf *c, const char *token);
