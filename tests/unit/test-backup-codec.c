/* What is inside a backup, as bytes: the names that are taken, the bounds, what a later version
 * says. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "wire/backup-codec.h"

static void add(Backup *b, const char *name, const char *text)
{
        BackupFile *f = &b->files[b->n_files++];

        str_copy(f->name, sizeof(f->name), name);
        f->data = (const uint8_t *)text;
        f->size = strlen(text);
}

static void make(Backup *b)
{
        *b = (Backup){.version = BACKUP_VERSION,
                      .software = "0.3",
                      .cluster = "0123456789abcdef0123456789abcdef",
                      .node = "head1",
                      .pin = {1, 2, 3},
                      .created = 1764000000 * USEC_PER_SEC};
        add(b, BACKUP_AUTHORITY, "key and certificate");
        add(b, BACKUP_STORE, "");
        add(b, BACKUP_CONF_DIR "/50-lab.conf", "cluster: { name = \"lab\"; };");
}

static void test_names(void **state)
{
        static const char *const settings[] = {"raycluster.conf", "raycluster.conf.d/a.conf",
                                               "raycluster.conf.d/50-My_site@2+x.y.conf"};
        static const char *const none[] = {"",
                                           "authority.pe",
                                           "authority.pem/",
                                           "./authority.pem",
                                           "/etc/passwd",
                                           "raycluster.conf.d",
                                           "raycluster.conf.d/",
                                           "raycluster.conf.d/.conf",
                                           "raycluster.conf.d/.a.conf",
                                           "raycluster.conf.d/../a.conf",
                                           "raycluster.conf.d/a/b.conf",
                                           "raycluster.conf.d/a b.conf",
                                           "raycluster.conf.d/a",
                                           "raycluster.conf.d/\xc3\xa4.conf"};
        char longest[BACKUP_NAME_MAX + 1] = "raycluster.conf.d/";

        for (size_t i = 0; backup_state_files[i]; i++)
                assert_int_equal(backup_kind(backup_state_files[i]), BACKUP_STATE);
        for (size_t i = 0; i < ELEMENTSOF(settings); i++)
                assert_int_equal(backup_kind(settings[i]), BACKUP_SETTING);
        for (size_t i = 0; i < ELEMENTSOF(none); i++)
                assert_int_equal(backup_kind(none[i]), _BACKUP_KIND_INVALID);
        memset(longest + 18, 'a', BACKUP_NAME_MAX - 18);
        memcpy(longest + BACKUP_NAME_MAX - 6, ".conf", 6);
        assert_int_equal(backup_kind(longest), BACKUP_SETTING);
        memcpy(longest + BACKUP_NAME_MAX - 6, "a.conf", 7);
        assert_int_equal(backup_kind(longest), _BACKUP_KIND_INVALID);
}

static void test_round(void **state)
{
        _cleanup_buf_ Buf bytes = {0};
        Backup b, got;

        make(&b);
        assert_int_equal(backup_encode(&b, &bytes), 0);
        assert_int_equal(backup_decode(buf_data(&bytes), buf_size(&bytes), &got), 0);
        assert_string_equal(got.software, b.software);
        assert_string_equal(got.cluster, b.cluster);
        assert_string_equal(got.node, b.node);
        assert_memory_equal(got.pin, b.pin, sizeof(b.pin));
        assert_true(got.created == b.created);
        assert_int_equal(got.n_files, 3);
        const BackupFile *f = backup_find(&got, BACKUP_AUTHORITY);
        assert_int_equal(f->size, 19);
        assert_memory_equal(f->data, "key and certificate", 19);
        assert_int_equal(backup_find(&got, BACKUP_STORE)->size, 0);
        assert_null(backup_find(&got, BACKUP_IDENTITY));
        /* cut at the end of a field it is still one, of less */
        for (size_t n = 0; n < buf_size(&bytes); n++)
                if (backup_decode(buf_data(&bytes), n, &got) >= 0)
                        assert_true(got.n_files < 3);
}

static void refuse(const Backup *b)
{
        _cleanup_buf_ Buf bytes = {0};
        assert_int_equal(backup_encode(b, &bytes), -EINVAL);
        assert_int_equal(buf_size(&bytes), 0);
}

static void test_bounds(void **state)
{
        static char large[(64 << 10) + 2];
        Backup b;

        make(&b);
        str_copy(b.files[1].name, sizeof(b.files[1].name), "shadow");
        refuse(&b);
        make(&b);
        add(&b, BACKUP_AUTHORITY, "twice");
        refuse(&b);
        make(&b);
        memset(large, 'x', sizeof(large) - 1);
        add(&b, BACKUP_IDENTITY, large);
        refuse(&b);
        make(&b);
        b.node[0] = 0;
        refuse(&b);
        str_copy(b.node, sizeof(b.node), "a b");
        refuse(&b);
        make(&b);
        b.version++;
        refuse(&b);
        make(&b);
        while (b.n_files < BACKUP_FILES_MAX) {
                char name[64];
                (void)snprintf(name, sizeof(name), BACKUP_CONF_DIR "/%zu.conf", b.n_files);
                add(&b, name, "x");
        }
        _cleanup_buf_ Buf bytes = {0};
        Backup got;
        assert_int_equal(backup_encode(&b, &bytes), 0);
        assert_int_equal(backup_decode(buf_data(&bytes), buf_size(&bytes), &got), 0);
        static const uint8_t more[] = {7 << 3 | 2, 3, 1 << 3 | 2, 1, 'a'};
        assert_int_equal(buf_append(&bytes, more, sizeof(more)), 0);
        assert_int_equal(backup_decode(buf_data(&bytes), buf_size(&bytes), &got), -EBADMSG);
}

static void test_foreign(void **state)
{
        static const uint8_t later[] = {1 << 3, BACKUP_VERSION + 1, 0xff, 0xff},
                             none[] = {1 << 3, 0}, unordered[] = {6 << 3, 1, 1 << 3, 1},
                             pin[] = {1 << 3, 1, 4 << 3 | 2, 1, 'x'},
                             nul[] = {1 << 3, 1, 2 << 3 | 2, 1, 0};
        Backup got;

        assert_int_equal(backup_decode(later, sizeof(later), &got), -EPROTONOSUPPORT);
        assert_int_equal(backup_decode(none, sizeof(none), &got), -EBADMSG);
        assert_int_equal(backup_decode(unordered, sizeof(unordered), &got), -EBADMSG);
        assert_int_equal(backup_decode(pin, sizeof(pin), &got), -EBADMSG);
        assert_int_equal(backup_decode(nul, sizeof(nul), &got), -EBADMSG);
        assert_int_equal(backup_decode(NULL, 0, &got), -EBADMSG);
        /* a field that is not known yet, and the same version: passed over */
        _cleanup_buf_ Buf bytes = {0};
        Backup b;
        make(&b);
        assert_int_equal(backup_encode(&b, &bytes), 0);
        static const uint8_t more[] = {15 << 3 | 2, 2, 'h', 'i'};
        assert_int_equal(buf_append(&bytes, more, sizeof(more)), 0);
        assert_int_equal(backup_decode(buf_data(&bytes), buf_size(&bytes), &got), 0);
        assert_int_equal(got.n_files, 3);
}

/* Names that came later go where an earlier version, which knows files alone, passes them over; as
 * this one does with those that come later still. */
static void test_more(void **state)
{
        static const uint8_t later[] = {8 << 3 | 2, 6, 1 << 3 | 2, 1, 'a', 2 << 3 | 2, 1, 'x'};
        _cleanup_buf_ Buf with = {0}, without = {0};
        Backup b, got;

        make(&b);
        assert_int_equal(backup_encode(&b, &without), 0);
        add(&b, BACKUP_RAY_MARK, "w1");
        assert_int_equal(backup_encode(&b, &with), 0);
        assert_memory_equal(buf_data(&with), buf_data(&without), buf_size(&without));
        assert_int_equal(buf_data(&with)[buf_size(&without)], 8 << 3 | 2);
        assert_int_equal(buf_append(&with, later, sizeof(later)), 0);
        assert_int_equal(backup_decode(buf_data(&with), buf_size(&with), &got), 0);
        assert_int_equal(got.n_files, 4);
        assert_memory_equal(backup_find(&got, BACKUP_RAY_MARK)->data, "w1", 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),  cmocka_unit_test(test_round),
                cmocka_unit_test(test_bounds), cmocka_unit_test(test_foreign),
                cmocka_unit_test(test_more),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
