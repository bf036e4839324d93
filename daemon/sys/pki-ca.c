#include "sys/pki-ca.h"

#include <stdio.h>

#include "sys/mac.h"
#include "sys/pki-private.h"

/* Bits of keyUsage (RFC 5280 4.2.1.3). */
#define DIGITAL_SIGNATURE 0
#define KEY_CERT_SIGN     5
#define CRL_SIGN          6

DEFINE_CLEANUP(ASN1_BIT_STRING *, ASN1_BIT_STRING_free);
DEFINE_CLEANUP(ASN1_INTEGER *, ASN1_INTEGER_free);
DEFINE_CLEANUP(ASN1_OCTET_STRING *, ASN1_OCTET_STRING_free);
DEFINE_CLEANUP(AUTHORITY_KEYID *, AUTHORITY_KEYID_free);
DEFINE_CLEANUP(BASIC_CONSTRAINTS *, BASIC_CONSTRAINTS_free);
DEFINE_CLEANUP(BIGNUM *, BN_free);
DEFINE_CLEANUP(EXTENDED_KEY_USAGE *, EXTENDED_KEY_USAGE_free);

/* --- extensions ----------------------------------------------------------------------------------
 */

static int add_extension(X509 *x, int nid, void *value, bool critical)
{
        return X509_add1_ext_i2d(x, nid, value, critical, X509V3_ADD_DEFAULT) == 1
                       ? 0
                       : pki_error(-EIO);
}

static int add_constraints(X509 *x, bool is_ca)
{
        _cleanup_(BASIC_CONSTRAINTS_freep) BASIC_CONSTRAINTS *b = BASIC_CONSTRAINTS_new();

        if (!b)
                return -ENOMEM;
        if (is_ca) {
                b->ca = 0xff; /* TRUE of DER */
                b->pathlen = ASN1_INTEGER_new();
                if (!b->pathlen || ASN1_INTEGER_set(b->pathlen, 0) != 1)
                        return -ENOMEM;
        }
        return add_extension(x, NID_basic_constraints, b, true);
}

static int add_usage(X509 *x, bool is_ca)
{
        _cleanup_(ASN1_BIT_STRING_freep) ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();

        if (!bits ||
            ASN1_BIT_STRING_set_bit(bits, is_ca ? KEY_CERT_SIGN : DIGITAL_SIGNATURE, 1) != 1 ||
            (is_ca && ASN1_BIT_STRING_set_bit(bits, CRL_SIGN, 1) != 1))
                return -ENOMEM;
        return add_extension(x, NID_key_usage, bits, true);
}

static int add_purposes(X509 *x)
{
        _cleanup_(EXTENDED_KEY_USAGE_freep) EXTENDED_KEY_USAGE *all = EXTENDED_KEY_USAGE_new();

        if (!all || sk_ASN1_OBJECT_push(all, OBJ_nid2obj(NID_client_auth)) <= 0 ||
            sk_ASN1_OBJECT_push(all, OBJ_nid2obj(NID_server_auth)) <= 0)
                return -ENOMEM;
        return add_extension(x, NID_ext_key_usage, all, false);
}

/* 160 bits of the SHA-256 of the key (RFC 7093 2, method 1): no SHA-1, which a policy may forbid.
 */
static int add_subject_id(X509 *x)
{
        _cleanup_(ASN1_OCTET_STRING_freep) ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();
        unsigned char md[EVP_MAX_MD_SIZE];

        if (!id)
                return -ENOMEM;
        if (X509_pubkey_digest(x, EVP_sha256(), md, NULL) != 1 ||
            ASN1_OCTET_STRING_set(id, md, 20) != 1)
                return pki_error(-EIO);
        return add_extension(x, NID_subject_key_identifier, id, false);
}

static int add_authority_id(X509 *x, X509 *ca)
{
        _cleanup_(AUTHORITY_KEYID_freep) AUTHORITY_KEYID *id = AUTHORITY_KEYID_new();
        const ASN1_OCTET_STRING *of_ca = X509_get0_subject_key_id(ca);

        if (!of_ca)
                return -EINVAL;
        if (!id)
                return -ENOMEM;
        id->keyid = ASN1_OCTET_STRING_dup(of_ca);
        if (!id->keyid)
                return -ENOMEM;
        return add_extension(x, NID_authority_key_identifier, id, false);
}

static int add_names(X509 *x, const PkiNames *names)
{
        _cleanup_(GENERAL_NAMES_freep) GENERAL_NAMES *all = NULL;

        int r = pki_names_encode(names, &all);
        if (r < 0)
                return r;
        return add_extension(x, NID_subject_alt_name, all, false);
}

/* --- the certificate -----------------------------------------------------------------------------
 */

/* The first bit is set: all have the same length, and none is zero. */
static int set_serial(X509 *x)
{
        _cleanup_(BN_freep) BIGNUM *bn = NULL;
        _cleanup_(ASN1_INTEGER_freep) ASN1_INTEGER *serial = NULL;
        uint8_t octets[16];

        int r = random_bytes(octets, sizeof(octets));
        if (r < 0)
                return r;
        octets[0] |= 0x80;
        bn = BN_bin2bn(octets, sizeof(octets), NULL);
        serial = bn ? BN_to_ASN1_INTEGER(bn, NULL) : NULL;
        return serial && X509_set_serialNumber(x, serial) == 1 ? 0 : -ENOMEM;
}

static int set_time(ASN1_TIME *t, usec_t at)
{
        return ASN1_TIME_set(t, pki_second(at)) ? 0 : pki_error(-EIO);
}

/* In whole seconds, as a certificate has them. */
static bool is_some_time(usec_t not_before, usec_t not_after)
{
        return pki_second(not_before) < pki_second(not_after);
}

/* What both kinds have. */
static int fill(X509 *x, EVP_PKEY *key, const PkiNames *names, usec_t not_before, usec_t not_after)
{
        if (X509_set_version(x, X509_VERSION_3) != 1 || X509_set_pubkey(x, key) != 1)
                return pki_error(-EIO);
        int r = set_serial(x);
        if (r >= 0)
                r = set_time(X509_getm_notBefore(x), not_before);
        if (r >= 0)
                r = set_time(X509_getm_notAfter(x), not_after);
        if (r >= 0)
                r = pki_set_common_name(X509_get_subject_name(x), names->name);
        if (r >= 0)
                r = add_constraints(x, names->role == PKI_CA);
        if (r >= 0)
                r = add_usage(x, names->role == PKI_CA);
        if (r >= 0)
                r = add_subject_id(x);
        if (r >= 0)
                r = add_names(x, names);
        return r;
}

/* By way of the DER: what is returned is what others will read. */
static int sign(X509 *x, const PkiKey *ca_key, PkiCert **ret)
{
        _cleanup_buf_ Buf all = {0};
        unsigned char *der = NULL;

        if (X509_sign(x, ca_key->key, EVP_sha256()) <= 0)
                return pki_error(-EIO);
        int n = i2d_X509(x, &der);
        int r = pki_append_der(&all, der, n);
        if (r < 0)
                return r;
        return pki_cert_from_der(buf_data(&all), buf_size(&all), ret);
}

int pki_ca_new(const PkiKey *key, const char *cluster, usec_t not_before, usec_t not_after,
               PkiCert **ret)
{
        _cleanup_errors_;
        PkiNames names = {.role = PKI_CA};

        if (!pki_label_is_valid(cluster) || !is_some_time(not_before, not_after))
                return -EINVAL;
        str_copy(names.cluster, sizeof(names.cluster), cluster);
        (void)snprintf(names.name, sizeof(names.name), "raycluster CA %s", cluster);
        _cleanup_(X509_freep) X509 *x = X509_new();
        if (!x)
                return -ENOMEM;
        int r = fill(x, key->key, &names, not_before, not_after);
        if (r < 0)
                return r;
        if (X509_set_issuer_name(x, X509_get_subject_name(x)) != 1)
                return -ENOMEM;
        return sign(x, key, ret);
}

/* ca is one, with this key, and of the cluster that names are in: a CA vouches for no other one's
 * nodes. */
static int check_ca(const PkiKey *ca_key, const PkiCert *ca, const PkiNames *names)
{
        PkiNames of_ca;

        int r = pki_names_decode(ca->x, &of_ca);
        if (r == -ENOMEM)
                return r;
        if (r < 0 || of_ca.role != PKI_CA || !mac_equal(ca->pin, ca_key->pin, PKI_PIN_SIZE) ||
            !streq(of_ca.cluster, names->cluster))
                return -EINVAL;
        return 0;
}

static int issue(const PkiKey *ca_key, const PkiCert *ca, EVP_PKEY *key, const PkiNames *names,
                 usec_t not_before, usec_t not_after, PkiCert **ret)
{
        _cleanup_(X509_freep) X509 *x = NULL;

        if (!pki_names_are_valid(names) || names->role == PKI_CA ||
            !is_some_time(not_before, not_after))
                return -EINVAL;
        int r = check_ca(ca_key, ca, names);
        if (r < 0)
                return r;
        if (!is_some_time(not_before, ca->not_after))
                return -EKEYEXPIRED;
        x = X509_new();
        if (!x)
                return -ENOMEM;
        r = fill(x, key, names, not_before, MIN(not_after, ca->not_after));
        if (r >= 0)
                r = add_authority_id(x, ca->x);
        if (r >= 0)
                r = add_purposes(x);
        if (r < 0)
                return r;
        if (X509_set_issuer_name(x, X509_get_subject_name(ca->x)) != 1)
                return -ENOMEM;
        return sign(x, ca_key, ret);
}

int pki_issue(const PkiKey *ca_key, const PkiCert *ca, const PkiRequest *request,
              const PkiNames *names, usec_t not_before, usec_t not_after, PkiCert **ret)
{
        _cleanup_errors_;

        return issue(ca_key, ca, request->key, names, not_before, not_after, ret);
}

int pki_issue_key(const PkiKey *ca_key, const PkiCert *ca, const PkiKey *key, const PkiNames *names,
                  usec_t not_before, usec_t not_after, PkiCert **ret)
{
        _cleanup_errors_;

        return issue(ca_key, ca, key->key, names, not_before, not_after, ret);
}
