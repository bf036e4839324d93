/* Whom a certificate of the cluster is for. A node has one URI spiffe://CLUSTER/ROLE/NODE and its
 * addresses as subject alternative names (RFC 5280 4.2.1.6), the CA the URI spiffe://CLUSTER alone;
 * the form is that of SPIFFE (SPIFFE-ID 2, X509-SVID 2), with fewer letters. */
#pragma once

#include "base/addr.h"
#include "base/strtab.h"

#define PKI_CLUSTER_MAX 64
#define PKI_NODE_MAX    64
/* A common name has at most 64 characters (RFC 5280 A.1, ub-common-name), as a host name of Linux
 * has. */
#define PKI_NAME_MAX 65
/* More addresses than any machine is dialled at, and few enough for a certificate to stay under one
 * KiB. */
#define PKI_ADDRS_MAX 16

typedef enum PkiRole {
        PKI_CA,     /* signs the others; has no node */
        PKI_HEAD,   /* a node that the others dial */
        PKI_WORKER, /* a node that dials */
        _PKI_ROLE_MAX,
        _PKI_ROLE_INVALID = -EINVAL,
} PkiRole;

DECLARE_STRTAB(pki_role, PkiRole);

typedef struct PkiNames {
        char cluster[PKI_CLUSTER_MAX];
        char node[PKI_NODE_MAX]; /* "" for PKI_CA */
        PkiRole role;
        char name[PKI_NAME_MAX];   /* host name, the common name; for people only. 1 to 64 of
                                      [A-Za-z0-9._-] to be issued, any printable ASCII when read */
        Addr addrs[PKI_ADDRS_MAX]; /* without scope and port, which have no place in a certificate
                                    */
        size_t n_addrs;
} PkiNames;

/* The rule for cluster and node: 1 to 63 of [a-z0-9-]. */
bool pki_label_is_valid(const char *s);
/* The rule for name, of any length. */
bool pki_host_name_is_valid(const char *s);
