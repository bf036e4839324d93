/* Makes Ray's TLS files with the code of the daemons; for scripts of tests.
 *
 *     ray-cert AUTHORITY-DIR STATE-DIR DIR head|worker NAME ADDRESS…
 *
 * DIR gets ca.pem, cert.pem and key.pem; the other two are kept as a daemon keeps them. */
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "member/ray-certificate.h"

static int run(char **args)
{
        _cleanup_(ray_authority_freep) RayAuthority *a = NULL;
        _cleanup_free_ char *why = NULL;
        PkiNames names = {.role = pki_role_from_string(args[3]), .node = "test"};

        str_copy(names.name, sizeof(names.name), args[4]);
        for (char **s = args + 5; *s && names.n_addrs < RAY_CERT_ADDRS_MAX; s++)
                if (addr_parse(*s, &names.addrs[names.n_addrs++]) < 0)
                        return 2;
        int r = ray_authority_open(args[0], 0, now_real(), &a, &why);
        if (r >= 0)
                r = ray_certificate_provide(args[1], args[2], a, &names, now_real(), &why);
        if (r < 0)
                fprintf(stderr, "ray-cert: %s\n", strempty(why));
        return r < 0;
}

int main(int argc, char **argv)
{
        if (argc < 7) {
                fprintf(stderr, "usage: ray-cert AUTHORITY-DIR STATE-DIR DIR head|worker NAME "
                                "ADDRESS…\n");
                return 2;
        }
        return run(argv + 1);
}
