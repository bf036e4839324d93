/* A byte string under a passphrase: out comes what went in, or nothing. */
#include "test.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "base/hex.h"
#include "sys/mac.h"
#include "sys/seal.h"

#define PASS   "correct horse", 13
#define SECRET "the keys of the cluster, and what else is not to be read"

static void seal(Buf *ret)
{
        assert_int_equal(seal_close(PASS, SEAL_COST_MIN, SECRET, sizeof(SECRET), ret), 0);
}

static void test_round(void **state)
{
        _cleanup_buf_ Buf a = {0}, b = {0}, plain = {0}, none = {0}, empty = {0};
        SealHeader h, other;

        seal(&a);
        seal(&b);
        assert_int_equal(buf_size(&a), sizeof(SECRET) + SEAL_OVERHEAD);
        assert_int_equal(seal_read_header(buf_data(&a), buf_size(&a), &h), 0);
        assert_int_equal(seal_read_header(buf_data(&b), buf_size(&b), &other), 0);
        assert_int_equal(h.cost, SEAL_COST_MIN);
        assert_memory_not_equal(h.salt, other.salt, sizeof(h.salt));
        assert_memory_not_equal(h.nonce, other.nonce, sizeof(h.nonce));
        assert_null(memmem(buf_data(&a), buf_size(&a), "keys", 4));
        assert_int_equal(buf_append(&plain, "before", 6), 0);
        assert_int_equal(seal_open(PASS, buf_data(&a), buf_size(&a), &plain), 0);
        assert_int_equal(buf_size(&plain), 6 + sizeof(SECRET));
        assert_string_equal((const char *)buf_data(&plain) + 6, SECRET);
        assert_int_equal(seal_close(PASS, SEAL_COST_MIN, "", 0, &none), 0);
        assert_int_equal(seal_open(PASS, buf_data(&none), buf_size(&none), &empty), 0);
        assert_int_equal(buf_size(&empty), 0);
}

/* A file of this form, made by other hands: Python's hashlib.scrypt and its cryptography package,
 * with salt 00 01 … 0f and nonce 10 11 … 1b. */
static void test_vector(void **state)
{
        static const char hex[] =
                "72637365616c310a0a080200000102030405060708090a0b0c0d0e0f10111213"
                "1415161718191a1b2908e8ebaf8226a4888876ae8a42bc5dc9168049dd432cbe";
        uint8_t bytes[(sizeof(hex) - 1) / 2];
        _cleanup_buf_ Buf plain = {0};

        assert_int_equal(hex_decode(hex, bytes, sizeof(bytes)), 0);
        assert_int_equal(seal_open(PASS, bytes, sizeof(bytes), &plain), 0);
        assert_int_equal(buf_size(&plain), 8);
        assert_memory_equal(buf_data(&plain), "ray head", 8);
}

static void test_wrong_passphrase(void **state)
{
        static const char *const wrong[] = {"", "correct hors", "correct horse ", "Correct horse"};
        _cleanup_buf_ Buf a = {0}, plain = {0};

        seal(&a);
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                assert_int_equal(
                        seal_open(wrong[i], strlen(wrong[i]), buf_data(&a), buf_size(&a), &plain),
                        -EKEYREJECTED);
        assert_int_equal(buf_size(&plain), 0);
        /* nothing that was opened in vain is left in memory, either */
        assert_null(memmem(plain.data, buf_size(&a) - SEAL_OVERHEAD, "keys", 4));
}

/* Every bit of the header, the text and the tag counts. */
static void test_flipped(void **state)
{
        _cleanup_buf_ Buf a = {0}, plain = {0};

        seal(&a);
        for (size_t i = 0; i < buf_size(&a); i++) {
                a.data[i] ^= 1U << i % 8;
                int r = seal_open(PASS, buf_data(&a), buf_size(&a), &plain);
                a.data[i] ^= 1U << i % 8;
                if (r != -EKEYREJECTED &&
                    (i >= 12 || (r != -EBADMSG && r != -ERANGE && r != -EPROTONOSUPPORT)))
                        fail_msg("byte %zu: %d", i, r);
        }
        assert_int_equal(buf_size(&plain), 0);
        assert_int_equal(seal_open(PASS, buf_data(&a), buf_size(&a), &plain), 0);
}

static void test_cut(void **state)
{
        _cleanup_buf_ Buf a = {0}, plain = {0};

        seal(&a);
        for (size_t n = 0; n < buf_size(&a); n++)
                assert_int_equal(seal_open(PASS, buf_data(&a), n, &plain),
                                 n < SEAL_OVERHEAD ? -EBADMSG : -EKEYREJECTED);
        assert_int_equal(buf_append(&a, "x", 1), 0);
        assert_int_equal(seal_open(PASS, buf_data(&a), buf_size(&a), &plain), -EKEYREJECTED);
}

/* A header asks for memory and time before anybody knows who wrote it. */
static void test_forged_cost(void **state)
{
        static const uint8_t forged[][3] = {{SEAL_COST_MAX + 1, SEAL_BLOCK, 1},
                                            {63, SEAL_BLOCK, 1},
                                            {255, SEAL_BLOCK, 1},
                                            {SEAL_COST_MIN - 1, SEAL_BLOCK, 1},
                                            {0, SEAL_BLOCK, 1},
                                            {SEAL_COST_MIN, 255, 1},
                                            {SEAL_COST_MIN, 0, 1},
                                            {SEAL_COST_MIN, SEAL_BLOCK, 0},
                                            {SEAL_COST_MIN, SEAL_BLOCK, SEAL_PASSES_MAX + 1}};
        _cleanup_buf_ Buf a = {0}, plain = {0};
        SealHeader h;

        seal(&a);
        for (size_t i = 0; i < ELEMENTSOF(forged); i++) {
                memcpy(a.data + 8, forged[i], 3);
                assert_int_equal(seal_read_header(buf_data(&a), buf_size(&a), &h), -ERANGE);
                assert_int_equal(seal_open(PASS, buf_data(&a), buf_size(&a), &plain), -ERANGE);
        }
        /* the most that may be asked for is really taken, and no more */
        a.data[8] = SEAL_COST_MAX;
        a.data[9] = SEAL_BLOCK;
        a.data[10] = 1;
        assert_int_equal(seal_open(PASS, buf_data(&a), buf_size(&a), &plain), -EKEYREJECTED);
        assert_int_equal(seal_close(PASS, SEAL_COST_MAX + 1, "", 0, &plain), -EINVAL);
        assert_int_equal(seal_close(PASS, SEAL_COST_MIN - 1, "", 0, &plain), -EINVAL);
}

static void test_not_ours(void **state)
{
        _cleanup_buf_ Buf a = {0};
        SealHeader h;

        seal(&a);
        assert_int_equal(seal_read_header(NULL, 0, &h), -EBADMSG);
        a.data[6] = '2';
        assert_int_equal(seal_read_header(buf_data(&a), buf_size(&a), &h), -EPROTONOSUPPORT);
        a.data[0] = 'R';
        assert_int_equal(seal_read_header(buf_data(&a), buf_size(&a), &h), -EBADMSG);
}

/* The room of the caller's buffer is a bound like any other. */
static void test_no_room(void **state)
{
        _cleanup_buf_ Buf a = {0}, small = {.limit = 16};

        seal(&a);
        assert_int_equal(seal_open(PASS, buf_data(&a), buf_size(&a), &small), -EMSGSIZE);
        assert_int_equal(seal_close(PASS, SEAL_COST_MIN, SECRET, sizeof(SECRET), &small),
                         -EMSGSIZE);
        assert_int_equal(buf_size(&small), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round),
                cmocka_unit_test(test_vector),
                cmocka_unit_test(test_wrong_passphrase),
                cmocka_unit_test(test_flipped),
                cmocka_unit_test(test_cut),
                cmocka_unit_test(test_forged_cost),
                cmocka_unit_test(test_not_ours),
                cmocka_unit_test(test_no_room),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
