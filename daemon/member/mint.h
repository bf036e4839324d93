/* Makes a token: id and secret are random, the key of the secret goes to the store, and the text is
 * told once, to whoever asked. */
#pragma once

#include "member/tokens.h"

/* What a person does not say. */
#define MINT_TTL      (60 * USEC_PER_MIN)
#define MINT_TTL_MAX  (30 * 24 * 60 * USEC_PER_MIN)
#define MINT_USES     1
#define MINT_USES_MAX 10000

/* pins: of the authorities that machines may meet, one or two. terms->expires: Unix time, at most
 * MINT_TTL_MAX from now; -EINVAL when it is not, and for uses out of bounds. *ret_text: the
 * caller's, to be overwritten before it is freed; ret_id: its name in lists. Further errors:
 * -EXFULL and those of the store, -ENOMEM, -EIO. */
int token_mint(Db *db, const uint8_t (*pins)[STORE_PIN_SIZE], size_t n_pins,
               const TokenTerms *terms, usec_t now, char ret_id[static STORE_ID_MAX],
               char **ret_text);
