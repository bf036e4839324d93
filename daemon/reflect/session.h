/* A conversation between `ray-probe --code` and `ray-probe --serve`: both know a code that never
 * travels. Every frame but the greeting carries HMAC-SHA256 over direction, both nonces, sequence
 * number and body, with a key made from the code; so nobody else can ask, answer, replay, reorder
 * or send back our own words. What is said is not secret: addresses, ports, counters.
 *
 *   server                                        client
 *     hello{version, nonce} ------------------------>
 *     <------------------------ hello{version, nonce}
 *     <------------------------ sealed{0, request}
 *     sealed{0, reply} ----------------------------->   and so on; either may say bye and close
 *
 * No fd, no clock: bytes come and go in buffers of the owner. */
#pragma once

#include "wire/reflect-code.h"
#include "wire/reflect-frame.h"

typedef enum SessionRole {
        SESSION_SERVER, /* which may try a few codes only */
        SESSION_CLIENT,
} SessionRole;

typedef struct Session {
        SessionRole role;
        uint8_t key[32];
        uint8_t own_nonce[REFLECT_HELLO_NONCE], peer_nonce[REFLECT_HELLO_NONCE];
        uint64_t seq_out, seq_in;
        bool greeted; /* their hello has come */
        bool proven;  /* a sealed frame has: they know the code */
} Session;

/* Randomness and key. Negative errno. */
int session_init(Session *s, SessionRole role, const ReflectCode *code);
/* The key is overwritten. */
void session_done(Session *s);

typedef enum SessionEvent {
        SESSION_MORE,  /* no whole frame is there */
        SESSION_HELLO, /* they have greeted; a client may ask now */
        SESSION_BODY,  /* a request or a reply */
        SESSION_BYE,   /* they end it; a hint, because everybody can say it */
} SessionEvent;

typedef struct SessionWord {
        SessionEvent event;
        const uint8_t *body; /* inside `in`, until it is touched again */
        size_t body_size;
        ReflectBye bye;
} SessionWord;

/* Takes one frame off `in`; its bytes are gone (but still in place) on success.
 * 0; -EACCES: the MAC is wrong (another code, or forged); -EPROTONOSUPPORT: another version;
 * -EBADMSG: out of turn, replayed, or no frame; -EMSGSIZE: too long a frame. After an error the
 * conversation is over. */
int session_next(Session *s, Buf *in, SessionWord *ret);

/* Appended to `out`; -EMSGSIZE, -ENOMEM, -EIO. */
int session_hello(Session *s, Buf *out);
/* Not before their hello has come (-EBADMSG). */
int session_seal(Session *s, Buf *out, const void *body, size_t size);
