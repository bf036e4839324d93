/* The phrases that sentences and hints are made of, family by family; the room's own. All strings
 * are new (caller frees); NULL: out of memory, or the verdict is of another family. */
#pragma once

#include "probe/text.h"

/* The head as people know it: "compute04 (10.77.0.1)", or the address alone. */
#define HEAD_MAX (sizeof(((Evidence *)0)->host) + ADDR_MAX + 4)
const char *head_label(const Evidence *e, char buf[HEAD_MAX]);
/* Nothing that a shell reads as more than a word: what a stranger said (a name heard by mDNS, the
 * version of a GCS) stands in a line that is pasted as root only when it is one. */
bool is_plain_word(const char *s);
/* The shortest name of the head, for a command line to be typed there; its address when the name is
 * no plain word. */
const char *head_name(const Evidence *e, char buf[ADDR_MAX]);
/* Our own address as the head would see it, for a command to be typed there. */
const char *own_name(const Evidence *e, char buf[ADDR_MAX]);

/* Opens the head's port, in the words of its firewall manager as far as that is known. */
char *hint_open_head(const Evidence *e, const char *name);
/* The farthest router that a SYN was seen to reach, or NULL. */
const char *last_hop(const Evidence *e, char buf[ADDR_MAX]);
/* What was measured beyond the first connect, in words and as "key=value"; 0 or -ENOMEM. */
int because_measures(const Evidence *e, const Judgement *j, char ***l);
int measure_facts(const Evidence *e, char ***l);

/* "2026-11-23 10:00:00 UTC" */
#define UTC_MAX 32
const char *utc_text(usec_t t, char buf[UTC_MAX]);
/* "2h 3min", in whole seconds. */
const char *span_text(usec_t t, char buf[DURATION_MAX]);

char *sentence_tls(const Evidence *e, const Judgement *j, const char *head);
/* Of a handshake that failed for reasons of its own: undecided, or the TLS of no Ray. NULL: it did
 * not, or out of memory. */
char *sentence_tls_open(const Evidence *e, const char *head);
char *sentence_tls_foreign(const Evidence *e, const char *head);
char *hint_tls(const Evidence *e, const Judgement *j, const char *name);
/* These add to the lists of text_because(), text_facts() and text_missing(). */
int because_tls(const Evidence *e, const Judgement *j, char ***l);
int facts_tls(const Evidence *e, char ***l);
int missing_tls(const Evidence *e, const Judgement *j, char ***l);
char *sentence_two_way(const Evidence *e, const Judgement *j, const char *head);
char *hint_two_way(const Evidence *e, const Judgement *j, const char *name);
char *sentence_ports(const Evidence *e, const Judgement *j, const char *head);
char *hint_ports(const Evidence *e, const Judgement *j, const char *name);
int because_ports(const Evidence *e, char ***l);
int ports_facts(const Evidence *e, char ***l);
int ports_missing(const Evidence *e, char ***l);
char *sentence_quality(const Evidence *e, const Judgement *j, const char *head);
char *hint_quality(const Evidence *e, const Judgement *j, const char *name);
