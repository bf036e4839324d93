#include "member/mint.h"

#include <stdlib.h>
#include <string.h>

#include "base/base32.h"
#include "base/str.h"
#include "member/proof.h"
#include "model/join-token.h"

static_assert(JOIN_ID_LEN < STORE_ID_MAX && JOIN_PIN_SIZE == STORE_PIN_SIZE, "tokens");

static int make_token(const uint8_t (*pins)[STORE_PIN_SIZE], size_t n_pins, JoinToken *ret)
{
        uint8_t id[5];

        if (n_pins == 0 || n_pins > JOIN_PINS_MAX)
                return -EINVAL;
        *ret = (JoinToken){.n_pins = n_pins};
        memcpy(ret->pins, pins, n_pins * JOIN_PIN_SIZE);
        int r = random_bytes(id, sizeof(id));
        if (r >= 0)
                r = random_bytes(ret->secret, sizeof(ret->secret));
        if (r >= 0)
                *base32_write(ret->id, id, sizeof(id)) = 0;
        return r;
}

int token_mint(Db *db, const uint8_t (*pins)[STORE_PIN_SIZE], size_t n_pins,
               const TokenTerms *terms, usec_t now, char ret_id[static STORE_ID_MAX],
               char **ret_text)
{
        _cleanup_(join_token_forget) JoinToken t = {0};
        TokenRow row = {.created = now, .terms = *terms, .left = terms->uses};
        char *text;

        if (terms->uses == 0 || terms->uses > MINT_USES_MAX || terms->expires <= now ||
            terms->expires - now > MINT_TTL_MAX)
                return -EINVAL;
        int r = make_token(pins, n_pins, &t);
        if (r >= 0)
                r = proof_key(t.secret, sizeof(t.secret), row.key);
        if (r < 0)
                return r;
        r = join_token_format(&t, &text);
        if (r < 0)
                return r;
        str_copy(row.id, sizeof(row.id), t.id);
        r = tokens_add(db, &row, now);
        mac_forget(row.key, sizeof(row.key));
        if (r < 0) {
                mac_forget_text(&text);
                return r;
        }
        str_copy(ret_id, STORE_ID_MAX, t.id);
        *ret_text = text;
        return 0;
}
